"""Requests for the propagation of a change set, parsed, with every error reported at once."""

from control_plane.http.common.parsing import AnyRequest, accepted, read_parameters, read_revision
from control_plane.http.propagation.payloads import PropagationQuery
from shared.schemas.identity import name_errors


def accept_propagation(request: AnyRequest, tenant: str, revision: str) -> tuple[int, float]:
    """The change set's revision, and how many seconds to wait for it to be live. Raises InvalidInput."""
    query, errors = read_parameters(request, PropagationQuery)
    number, revision_errors = read_revision(revision)
    return number, accepted(query, name_errors(tenant=tenant), errors, revision_errors).wait
