"""The manifests as they are written, without a tool that renders them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
SERVICES = ("control-plane", "data-plane", "audit-consumer")

Document = dict[str, Any]


def documents_below(*folders: Path) -> list[tuple[Path, Document]]:
    """Every document of the YAML files below the folders, with its file."""
    files = sorted(file for folder in folders for file in folder.rglob("*.yaml"))
    return [(file, document) for file in files for document in yaml.safe_load_all(file.read_text()) if document]


EVERYTHING = documents_below(K8S) + [
    (ROOT / "examples" / "sample-catalogue.yaml", each)
    for each in yaml.safe_load_all((ROOT / "examples" / "sample-catalogue.yaml").read_text())
]


def of_kind(*kinds: str) -> list[Document]:
    """All documents of these kinds."""
    return [document for _, document in EVERYTHING if document["kind"] in kinds]


def named(kind: str, name: str) -> Document:
    """The one document of that kind and name."""
    [found] = [each for each in of_kind(kind) if each["metadata"]["name"] == name]
    return found


def pod_of(workload: Document) -> Document:
    """The pod template's spec."""
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def containers_of(workload: Document) -> Iterator[Document]:
    """Every container, those that run before or beside the others included."""
    pod = pod_of(workload)
    yield from (*pod.get("initContainers", []), *pod["containers"])


def settings_file(service: str) -> dict[str, str]:
    """What the service's ConfigMap is made of."""
    lines = (K8S / "base" / service / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
