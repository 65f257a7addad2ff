from pathlib import Path

import pytest

from deploy.release.dev_secrets import create_dev_secrets
from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Document, Kubectl
from deploy.release.manifests import AFTER_ROLL_OUT, RUNS
from deploy.release.roll_out import RollOut
from tests.fakes.kubernetes_cluster import FakeCluster

OVERLAY = Path("overlays/some")


def _workload(kind: str, name: str, image: str = "traffic-manager:1", **metadata: object) -> Document:
    environment = [{"name": "TM_URL", "valueFrom": {"secretKeyRef": {"name": "store", "key": "url"}}}]
    container = {"name": name, "image": image, "env": environment, "envFrom": [{"configMapRef": {"name": "settings"}}]}
    pod = {"containers": [container], "volumes": [{"name": "ca", "configMap": {"name": "authority"}}]}
    return {"kind": kind, "metadata": {"name": name, **metadata}, "spec": {"template": {"spec": pod}}}


def _overlay(image: str = "traffic-manager:1") -> list[Document]:
    return [
        {"kind": "Namespace", "metadata": {"name": "tm"}},
        {"kind": "ConfigMap", "metadata": {"name": "settings"}},
        {"kind": "Service", "metadata": {"name": "data-plane"}, "spec": {"selector": {"slot": "blue"}}},
        _workload("Deployment", "data-plane", image),
        _workload("Job", "catalogue", annotations={RUNS: AFTER_ROLL_OUT}),
        _workload("Job", "migrate-1"),
        _workload("StatefulSet", "postgres"),
    ]


@pytest.fixture
def cluster() -> FakeCluster:
    """A cluster with all that the overlay needs beside itself."""
    cluster = FakeCluster(_overlay())
    cluster.put("secret", "store", data={"url": "eA=="})
    cluster.put("configmap", "authority", data={"ca.crt": ""})
    return cluster


def _deploy(cluster: FakeCluster) -> list[str]:
    said: list[str] = []
    RollOut(Kubectl(run=cluster.run), said.append).deploy(OVERLAY)
    return said


def test_steps_come_in_order_and_each_is_waited_for(cluster: FakeCluster) -> None:
    _deploy(cluster)
    assert cluster.calls == [
        "apply Namespace tm",
        "apply ConfigMap settings",
        "apply Service data-plane",
        "apply StatefulSet postgres",
        "rollout statefulset/postgres",
        "apply Job migrate-1",
        "wait job/migrate-1",
        "apply Deployment data-plane",
        "rollout deployment/data-plane",
        "apply Job catalogue",
        "wait job/catalogue",
    ]


def test_readers_of_events_are_rolled_out_before_their_publisher(cluster: FakeCluster) -> None:
    cluster.rendered += [_workload("Deployment", name) for name in ("control-plane", "audit-consumer")]
    _deploy(cluster)
    place = cluster.calls.index
    readers = [place(f"rollout deployment/{name}") for name in ("audit-consumer", "data-plane")]
    assert max(readers) < place("apply Deployment control-plane") < place("rollout deployment/control-plane")


def test_job_of_an_earlier_run_makes_way(cluster: FakeCluster) -> None:
    cluster.put("job", "migrate-1")
    _deploy(cluster)
    assert cluster.calls.index("delete job migrate-1") < cluster.calls.index("apply Job migrate-1")


def test_job_that_still_runs_is_waited_for_and_not_begun_again(cluster: FakeCluster) -> None:
    cluster.put("job", "migrate-1", status={"active": 1})
    assert "Job migrate-1 runs already, since an earlier deployment" in _deploy(cluster)
    assert "delete job migrate-1" not in cluster.calls
    assert cluster.calls.index("wait job/migrate-1") < cluster.calls.index("apply Deployment data-plane")


def test_missing_secret_is_named_and_nothing_is_applied(cluster: FakeCluster) -> None:
    del cluster.objects["secret", "store"], cluster.objects["configmap", "authority"]
    with pytest.raises(ReleaseError, match=r"namespace tm lacks:\n  ConfigMap authority\n  Secret store: url"):
        _deploy(cluster)
    assert cluster.calls == []


def test_secret_without_its_key_is_refused(cluster: FakeCluster) -> None:
    cluster.put("secret", "store", data={"uri": "eA=="})
    with pytest.raises(ReleaseError, match="Secret store: url"):
        _deploy(cluster)


def test_placeholder_for_a_digest_is_refused(cluster: FakeCluster) -> None:
    cluster.rendered = _overlay(f"registry/tm@sha256:{'0' * 64}")
    with pytest.raises(ReleaseError, match="the digest of registry/tm is all zeros"):
        _deploy(cluster)
    assert cluster.calls == []


def test_failed_migration_leaves_the_services_as_they_were(cluster: FakeCluster) -> None:
    cluster.failing.add("migrate-1")
    with pytest.raises(ReleaseError, match="logs job/migrate-1"):
        _deploy(cluster)
    assert "apply Deployment data-plane" not in cluster.calls


def test_failed_roll_out_says_how_to_go_back(cluster: FakeCluster) -> None:
    cluster.failing.add("data-plane")
    with pytest.raises(ReleaseError, match="rollout undo deployment/data-plane"):
        _deploy(cluster)


def test_deployment_keeps_the_slot_that_is_live(cluster: FakeCluster) -> None:
    cluster.put("service", "data-plane", spec={"selector": {"slot": "green"}})
    _deploy(cluster)
    assert cluster.objects["service", "data-plane"]["spec"]["selector"] == {"slot": "green"}


def test_secrets_of_the_dev_overlay_are_made_once() -> None:
    cluster = FakeCluster()
    assert create_dev_secrets(Kubectl(run=cluster.run))
    first = cluster.objects["secret", "postgres"]["stringData"]["password"]
    assert first in cluster.objects["secret", "data-plane-postgres"]["stringData"]["replica-urls"]
    assert not create_dev_secrets(Kubectl(run=cluster.run))
    assert cluster.objects["secret", "postgres"]["stringData"]["password"] == first
