"""All ports of the control plane together."""

from dataclasses import dataclass

from control_plane.ports.access_keys import AccessKeys
from control_plane.ports.change_sets import ChangeSets
from control_plane.ports.installation import Installation
from control_plane.ports.key_topic import KeyPublications, KeyTopic, KeyUsageReports, KeyUse
from control_plane.ports.propagation import Publications, StatusReports
from control_plane.ports.publishing import EventLog, Outbox
from control_plane.ports.routes import History, Routes, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One adapter or fake for each port. `revocations` is a second event log, which never waits for the relay's."""

    tenants: Tenants
    routes: Routes
    change_sets: ChangeSets
    history: History
    access_keys: AccessKeys
    key_topic: KeyTopic
    key_publications: KeyPublications
    key_use: KeyUse
    key_usage_reports: KeyUsageReports
    outbox: Outbox
    events: EventLog
    revocations: EventLog
    publications: Publications
    status_reports: StatusReports
    installation: Installation
