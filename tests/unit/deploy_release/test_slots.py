import pytest

from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Kubectl
from deploy.release.slots import switch, switch_back
from tests.fakes.kubernetes_cluster import FakeCluster


@pytest.fixture
def cluster() -> FakeCluster:
    """Both slots have pods; the Service selects blue."""
    cluster = FakeCluster()
    cluster.put("service", "data-plane", spec={"selector": {"slot": "blue"}})
    for slot in ("blue", "green"):
        cluster.put("deployment", f"data-plane-{slot}", spec={"replicas": 3})
    return cluster


def _slot(cluster: FakeCluster) -> object:
    return cluster.objects["service", "data-plane"]["spec"]["selector"]["slot"]


def test_switch_waits_for_the_slot_and_then_selects_it(cluster: FakeCluster) -> None:
    assert switch(Kubectl(run=cluster.run), "tm", "green") == "blue"
    assert cluster.calls == ["rollout deployment/data-plane-green", "patch data-plane"]
    assert _slot(cluster) == "green"


def test_switch_back_selects_the_slot_of_before(cluster: FakeCluster) -> None:
    kubectl = Kubectl(run=cluster.run)
    switch(kubectl, "tm", "green")
    assert switch_back(kubectl, "tm") == ("green", "blue")
    assert _slot(cluster) == "blue"


def test_switch_to_the_live_slot_keeps_the_way_back(cluster: FakeCluster) -> None:
    kubectl = Kubectl(run=cluster.run)
    switch(kubectl, "tm", "green")
    switch(kubectl, "tm", "green")
    assert switch_back(kubectl, "tm") == ("green", "blue")


def test_slot_that_is_not_ready_is_refused(cluster: FakeCluster) -> None:
    cluster.failing.add("data-plane-green")
    with pytest.raises(ReleaseError, match="not ready; the Service still selects the other slot"):
        switch(Kubectl(run=cluster.run), "tm", "green")
    assert _slot(cluster) == "blue"


def test_slot_without_pods_is_refused(cluster: FakeCluster) -> None:
    cluster.put("deployment", "data-plane-green", spec={"replicas": 0})
    with pytest.raises(ReleaseError, match="has no pods"):
        switch(Kubectl(run=cluster.run), "tm", "green")


def test_unknown_slot_is_refused(cluster: FakeCluster) -> None:
    with pytest.raises(ReleaseError, match="one of blue and green"):
        switch(Kubectl(run=cluster.run), "tm", "red")


def test_there_is_no_way_back_before_a_switch(cluster: FakeCluster) -> None:
    with pytest.raises(ReleaseError, match="was never switched"):
        switch_back(Kubectl(run=cluster.run), "tm")


def test_service_without_slots_is_refused(cluster: FakeCluster) -> None:
    cluster.put("service", "data-plane", spec={"selector": {}})
    with pytest.raises(ReleaseError, match="lacks the component blue-green"):
        switch(Kubectl(run=cluster.run), "tm", "green")
