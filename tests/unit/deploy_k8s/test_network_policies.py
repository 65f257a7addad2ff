"""Nothing is open by default, and no policy lets one service reach another."""

import pytest

from tests.support.kubernetes_manifests import SERVICES, Document, named, of_kind

STORE_PORTS = {"control-plane": {5432, 9092}, "data-plane": {5432, 6379, 9092}, "audit-consumer": {9092, 27017}}


def test_default_is_to_deny_both_ways() -> None:
    spec = named("NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("service", SERVICES)
def test_service_leaves_by_the_ports_of_its_own_stores_only(service: str) -> None:
    egress = named("NetworkPolicy", service)["spec"]["egress"]
    assert {port["port"] for rule in egress for port in rule["ports"]} == STORE_PORTS[service]


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_entered_from_labelled_namespaces_only(service: str) -> None:
    audience = "resolve" if service == "data-plane" else "control"
    [rule] = named("NetworkPolicy", service)["spec"]["ingress"]
    labels = [each["namespaceSelector"]["matchLabels"] for each in rule["from"]]
    assert labels == [{f"traffic-manager/{audience}": "allowed"}, {"traffic-manager/scrape": "allowed"}]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]


def test_spans_leave_for_labelled_namespaces_only() -> None:
    spec = named("NetworkPolicy", "traces")["spec"]
    [rule] = spec["egress"]
    assert spec["policyTypes"] == ["Egress"]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"traffic-manager/traces": "allowed"}}}]
    assert rule["ports"] == [{"port": 4318, "protocol": "TCP"}]


@pytest.mark.parametrize("policy", of_kind("NetworkPolicy"), ids=lambda each: each["metadata"]["name"])
def test_no_policy_names_one_service_as_the_peer_of_another(policy: Document) -> None:
    if policy["metadata"]["name"] in ("sample-catalogue", "control-plane-from-sample-catalogue"):
        return  # a Job of the dev overlay, which calls the control plane
    rules = [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]
    peers = [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]
    names = {peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name") for peer in peers}
    assert not names & set(SERVICES)


def test_every_workload_has_a_policy_of_its_own() -> None:
    selectors = [each["spec"]["podSelector"].get("matchLabels", {}) for each in of_kind("NetworkPolicy")]
    for workload in of_kind("Deployment", "StatefulSet", "Job"):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert any(each and each.items() <= labels.items() for each in selectors), workload["metadata"]["name"]
