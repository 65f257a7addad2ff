"""What every pod of the deployment keeps to, as written: the rendered manifests are checked by `make check-manifests`."""

import pytest

from tests.support.kubernetes_manifests import SERVICES as SERVICE_NAMES
from tests.support.kubernetes_manifests import Document, containers_of, named, of_kind, pod_of, settings_file

WORKLOADS = of_kind("Deployment", "StatefulSet", "Job")
SERVICES = [named("Deployment", name) for name in SERVICE_NAMES]


def _name(workload: Document) -> str:
    return f"{workload['kind']}-{workload['metadata']['name']}"


@pytest.mark.parametrize("workload", WORKLOADS, ids=_name)
def test_pod_runs_as_an_ordinary_user_without_a_token(workload: Document) -> None:
    pod = pod_of(workload)
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] != "default"
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("workload", WORKLOADS, ids=_name)
def test_container_can_write_nowhere_but_its_volumes_and_gain_nothing(workload: Document) -> None:
    for container in containers_of(workload):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not {"runAsUser", "runAsNonRoot", "privileged"} & set(context)


@pytest.mark.parametrize("workload", WORKLOADS, ids=_name)
def test_container_has_a_memory_limit_and_no_cpu_limit(workload: Document) -> None:
    for container in containers_of(workload):
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]
        assert "cpu" not in resources["limits"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=_name)
def test_writable_volume_in_the_pod_has_a_size(workload: Document) -> None:
    for volume in pod_of(workload).get("volumes", []):
        assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), volume["name"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=_name)
def test_secret_reaches_a_container_by_reference_only(workload: Document) -> None:
    words = ("PASSWORD", "SECRET", "KEY", "TOKEN", "POSTGRES_URL", "REDIS_URL", "MONGO_URL", "REPLICA_URLS")
    for container in containers_of(workload):
        for each in container.get("env", []):
            assert "value" not in each or not any(word in each["name"] for word in words), each["name"]


@pytest.mark.parametrize("workload", of_kind("Deployment", "StatefulSet"), ids=_name)
def test_kubelet_asks_different_questions_for_liveness_and_readiness(workload: Document) -> None:
    for container in pod_of(workload)["containers"]:
        startup, ready, live = (
            container[f"{each}Probe"]["httpGet"]["path"] for each in ("startup", "readiness", "liveness")
        )
        assert startup
        assert ready != live


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_probes_of_a_service_are_as_frequent_as_specified(service: Document) -> None:
    [container] = pod_of(service)["containers"]
    startup, ready, live = (container[f"{each}Probe"] for each in ("startup", "readiness", "liveness"))
    assert (startup["periodSeconds"], startup["failureThreshold"]) == (1, 60)
    assert ready["periodSeconds"] == 2
    assert (live["periodSeconds"], live["failureThreshold"]) == (10, 3)
    assert live["httpGet"]["path"] == startup["httpGet"]["path"] == "/health/live"
    assert ready["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_pod_has_time_to_drain_before_it_is_killed(name: str) -> None:
    pod, settings = pod_of(named("Deployment", name)), settings_file(name)
    [container] = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pause + int(settings["TM_DRAIN_SECONDS"]) + int(settings["TM_SHUTDOWN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= needed + 10


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_service_is_replaced_pod_by_pod_and_spread_over_zones_and_nodes(service: Document) -> None:
    assert service["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert service["spec"]["minReadySeconds"] > 0
    spread = pod_of(service)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(each["matchLabelKeys"] == ["pod-template-hash"] for each in spread)
    assert service["spec"]["replicas"] >= (3 if service["metadata"]["name"] == "data-plane" else 2)


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_memory_limit_of_a_service_is_twice_what_it_requests(service: Document) -> None:
    [container] = pod_of(service)["containers"]
    sizes = [_mebibytes(container["resources"][each]["memory"]) for each in ("requests", "limits")]
    assert sizes[1] == 2 * sizes[0]
    assert "ephemeral-storage" in container["resources"]["limits"]


def _mebibytes(size: str) -> int:
    return int(size.removesuffix("Gi")) * 1024 if size.endswith("Gi") else int(size.removesuffix("Mi"))


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_selectors_are_labels_of_the_kubernetes_application_set(service: Document) -> None:
    selector = service["spec"]["selector"]["matchLabels"]
    assert all(label.startswith("app.kubernetes.io/") for label in selector)
    assert selector.items() <= service["spec"]["template"]["metadata"]["labels"].items()


def test_budgets_let_broken_pods_be_evicted() -> None:
    budgets = of_kind("PodDisruptionBudget")
    assert {each["metadata"]["name"] for each in budgets} == set(SERVICE_NAMES)
    assert all(each["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" for each in budgets)


def test_resolver_keeps_its_snapshot_on_a_volume_that_outlives_the_container() -> None:
    [container] = pod_of(named("Deployment", "data-plane"))["containers"]
    mounts = tuple(each["mountPath"] for each in container["volumeMounts"])
    settings = settings_file("data-plane")
    assert settings["TM_SNAPSHOT_PATH"].startswith(mounts)
    assert settings["TM_KEY_SNAPSHOT_PATH"].startswith(mounts)
    assert settings["TMPDIR"] in mounts
