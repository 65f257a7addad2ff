"""Names and numbers that the manifests repeat are those of the code."""

import re

import pytest
import yaml

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.settings import ServiceSettings
from shared.runtime.version import VERSION
from shared.schemas.topics import MAX_RECORD_BYTES, ROUTE_EVENTS, TOPICS
from tests.support.kubernetes_manifests import (
    EVERYTHING,
    K8S,
    ROOT,
    containers_of,
    named,
    of_kind,
    pod_of,
    settings_file,
)

SETTINGS: dict[str, type[ServiceSettings]] = {
    "control-plane": ControlPlaneSettings,
    "data-plane": DataPlaneSettings,
    "audit-consumer": AuditSettings,
}
DEPLOY_PAGE = (ROOT / "docs" / "deploy.md").read_text()
OTEL_VARIABLES = set(re.findall(r"^\| `(OTEL_\w+)`", (ROOT / "docs" / "traces.md").read_text(), re.MULTILINE))


def _variables(service: str) -> set[str]:
    return {f"TM_{name.upper()}" for name in SETTINGS[service].model_fields}


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_in_the_manifests_is_one_of_the_service(service: str) -> None:
    [container] = pod_of(named("Deployment", service))["containers"]
    written = set(settings_file(service)) | {each["name"] for each in container["env"]}
    assert written - {"TMPDIR"} <= _variables(service)


@pytest.mark.parametrize("file", sorted(K8S.rglob("*.env")), ids=lambda each: str(each.relative_to(K8S)))
def test_every_setting_in_an_overlay_is_one_of_all_services(file: object) -> None:
    known = set.intersection(*(_variables(service) for service in SETTINGS))
    lines = [line for line in (K8S / str(file)).read_text().splitlines() if not line.startswith("#")]
    names = {line.partition("=")[0] for line in lines}
    own = next((service for service in SETTINGS if service in str(file)), None)
    assert names - {"TMPDIR"} - OTEL_VARIABLES <= (_variables(own) if own else known)


def test_variables_of_opentelemetry_in_the_manifests_are_documented() -> None:
    component = K8S / "components" / "tracing"
    text = (component / "collector.env").read_text() + (component / "kustomization.yaml").read_text()
    assert set(re.findall(r"OTEL_\w+", text)) <= OTEL_VARIABLES


def test_every_secret_is_documented_with_its_key() -> None:
    workloads = [document for file, document in EVERYTHING if "dev" not in file.parts and "template" in str(document)]
    references = {
        (reference["name"], reference["key"])
        for workload in workloads
        if workload["kind"] in ("Deployment", "Job")
        for container in containers_of(workload)
        for each in container.get("env", [])
        for reference in [each.get("valueFrom", {}).get("secretKeyRef")]
        if reference
    }
    assert references
    for name, key in references:
        assert re.search(rf"^\| `{name}` \|.*`{key}`", DEPLOY_PAGE, re.MULTILINE), (name, key)


def test_no_secret_is_in_the_repository() -> None:
    assert not of_kind("Secret")
    assert not [document for _, document in EVERYTHING if "secretGenerator" in document]


def test_topics_to_create_are_documented_as_the_code_has_them() -> None:
    for topic in TOPICS:
        configs = "; ".join(f"{name}={value}" for name, value in sorted(topic.configs.items()))
        assert f"| `{topic.name}` | {topic.partitions} | {configs} |" in DEPLOY_PAGE


def test_audit_consumers_are_at_most_as_many_as_partitions() -> None:
    spec = named("ScaledObject", "audit-consumer")["spec"]
    assert spec["maxReplicaCount"] == ROUTE_EVENTS.partitions
    [trigger] = spec["triggers"]
    assert trigger["metadata"]["topic"] == ROUTE_EVENTS.name
    assert trigger["metadata"]["consumerGroup"] == AuditSettings.model_fields["audit_group"].default


def test_images_and_the_migration_carry_the_release_of_the_code() -> None:
    own = [each["image"] for workload in of_kind("Deployment", "Job") for each in containers_of(workload)]
    assert {image for image in own if image.startswith("traffic-manager")} == {f"traffic-manager:{VERSION}"}
    assert named("Job", f"migrate-{VERSION.replace('.', '-')}")
    staging = yaml.safe_load((K8S / "overlays" / "staging" / "kustomization.yaml").read_text())
    assert {each["newTag"] for each in staging["images"]} == {VERSION}


@pytest.mark.parametrize("overlay", ["prod", "prod-blue-green"])
def test_production_names_images_by_digest(overlay: str) -> None:
    images = yaml.safe_load((K8S / "overlays" / overlay / "kustomization.yaml").read_text())["images"]
    assert all("digest" in each and "newTag" not in each for each in images)


def test_no_patch_takes_away_what_the_base_promises() -> None:
    kept = ("Probe", "securityContext", "automountServiceAccountToken", "lifecycle", "NetworkPolicy", "limits")
    for file, document in EVERYTHING:
        for patch in document.get("patches", []) if document["kind"] in ("Kustomization", "Component") else []:
            assert not any(word in patch["patch"] for word in kept), file


def test_broker_of_the_dev_overlay_takes_the_largest_record() -> None:
    properties = (K8S / "overlays" / "dev" / "stores" / "server.properties").read_text().splitlines()
    assert f"message.max.bytes={MAX_RECORD_BYTES}" in properties
    assert f"replica.fetch.max.bytes={MAX_RECORD_BYTES}" in properties


def test_verdict_about_a_canary_reads_metrics_of_the_catalogue() -> None:
    names = {metric.name for metric in CATALOGUE}
    source = (ROOT / "deploy" / "release" / "canary.py").read_text()
    assert {re.sub(r"_bucket$", "", each) for each in re.findall(r"tm_\w+", source)} <= names


def test_control_plane_waits_for_the_schema_that_it_needs() -> None:
    [waiting] = pod_of(named("Deployment", "control-plane"))["initContainers"]
    assert waiting["args"] == ["control_plane", "wait-for-schema"]
