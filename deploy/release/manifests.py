"""What a rendered overlay contains, and what it needs that it does not contain."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.release.kubectl import Document

WORKLOADS = ("StatefulSet", "Deployment")
RUNS = "traffic-manager/runs"
AFTER_ROLL_OUT = "after-roll-out"
_NO_DIGEST = re.compile(r"@sha256:0{64}$")


def name_of(document: Document) -> str:
    """The object's name."""
    return str(document["metadata"]["name"])


def namespace_of(documents: Sequence[Document]) -> str:
    """The namespace that an overlay deploys into."""
    return next(name_of(each) for each in documents if each["kind"] == "Namespace")


def of_kind(documents: Sequence[Document], *kinds: str) -> list[Document]:
    """The documents of these kinds, in the order of the kinds."""
    return [each for kind in kinds for each in documents if each["kind"] == kind]


def jobs(documents: Sequence[Document], *, after_roll_out: bool) -> list[Document]:
    """The Jobs that run before the services are rolled out, or after that."""
    return [each for each in of_kind(documents, "Job") if _runs_after_roll_out(each) is after_roll_out]


def missing_digests(documents: Sequence[Document]) -> list[str]:
    """Images whose digest is still the placeholder of the overlay."""
    images = {container["image"] for pod in _pods(documents) for container in _containers(pod)}
    return sorted(image for image in images if _NO_DIGEST.search(image))


def needed_objects(documents: Sequence[Document]) -> dict[tuple[str, str], set[str]]:
    """Secrets and ConfigMaps, by kind and name, that pods refer to and the overlay does not contain, with their keys."""
    needed: dict[tuple[str, str], set[str]] = {}
    for pod in _pods(documents):
        for kind, name, key in (*_in_environment(pod), *_in_volumes(pod)):
            needed.setdefault((kind, name), set()).update([key] if key else [])
    contained = {(each["kind"], name_of(each)) for each in of_kind(documents, "Secret", "ConfigMap")}
    return {reference: keys for reference, keys in sorted(needed.items()) if reference not in contained}


def _runs_after_roll_out(job: Document) -> bool:
    return bool(job["metadata"].get("annotations", {}).get(RUNS) == AFTER_ROLL_OUT)


def _pods(documents: Sequence[Document]) -> list[Document]:
    return [each["spec"]["template"]["spec"] for each in of_kind(documents, *WORKLOADS, "Job")]


def _containers(pod: Document) -> list[Document]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _in_environment(pod: Document) -> Iterator[tuple[str, str, str | None]]:
    kinds = {
        "secretKeyRef": "Secret",
        "configMapKeyRef": "ConfigMap",
        "secretRef": "Secret",
        "configMapRef": "ConfigMap",
    }
    for container in _containers(pod):
        sources = [each["valueFrom"] for each in container.get("env", []) if "valueFrom" in each]
        for source in [*sources, *container.get("envFrom", [])]:
            for field, reference in source.items():
                if field in kinds and not reference.get("optional"):
                    yield kinds[field], reference["name"], reference.get("key")


def _in_volumes(pod: Document) -> Iterator[tuple[str, str, str | None]]:
    for volume in pod.get("volumes", []):
        for kind, name in _references(volume):
            yield kind, name, None


def _references(volume: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "secret" in volume and not volume["secret"].get("optional"):
        yield "Secret", volume["secret"]["secretName"]
    if "configMap" in volume and not volume["configMap"].get("optional"):
        yield "ConfigMap", volume["configMap"]["name"]
