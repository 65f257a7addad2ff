"""Blue and green: which of two sets of resolvers the Service selects."""

from collections.abc import Sequence

from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Document, Kubectl

SERVICE = "data-plane"
SLOTS = ("blue", "green")
PREVIOUS = "traffic-manager/previous-slot"
READY_SECONDS = 60


def switch(kubectl: Kubectl, namespace: str, slot: str) -> str:
    """Let the Service select `slot`, once all of its pods are available. Returns the slot selected before.

    Raises ReleaseError, and changes nothing, when the slot is not ready for traffic.
    """
    if slot not in SLOTS:
        raise ReleaseError(f"SLOT is {slot or 'empty'}; it is one of {' and '.join(SLOTS)}")
    service = _service(kubectl, namespace)
    before = _selected(service)
    _require_ready(kubectl, namespace, slot)
    annotations = {} if before == slot else {"metadata": {"annotations": {PREVIOUS: before}}}
    kubectl.patch("service", SERVICE, namespace, {**annotations, "spec": {"selector": {"slot": slot}}})
    return before


def switch_back(kubectl: Kubectl, namespace: str) -> tuple[str, str]:
    """Let the Service select the previous slot. Returns the slots before and after.

    Raises ReleaseError when there was no switch, or that slot is not ready for traffic.
    """
    previous = _service(kubectl, namespace)["metadata"].get("annotations", {}).get(PREVIOUS)
    if previous is None:
        raise ReleaseError(f"Service {SERVICE} in {namespace} was never switched: there is no previous slot")
    return switch(kubectl, namespace, previous), previous


def keep_slot(documents: Sequence[Document], kubectl: Kubectl, namespace: str) -> None:
    """A deployment changes what is in the slots, never which one is selected: write the live slot into the Service."""
    for each in documents:
        if each["kind"] == "Service" and each["metadata"]["name"] == SERVICE and "slot" in each["spec"]["selector"]:
            live = kubectl.get("service", SERVICE, namespace) or each
            each["spec"]["selector"]["slot"] = live["spec"]["selector"].get("slot", each["spec"]["selector"]["slot"])


def _service(kubectl: Kubectl, namespace: str) -> Document:
    service = kubectl.get("service", SERVICE, namespace)
    if service is None:
        raise ReleaseError(f"There is no Service {SERVICE} in namespace {namespace}; deploy first, or correct OVERLAY")
    return service


def _selected(service: Document) -> str:
    slot = service["spec"]["selector"].get("slot")
    if slot is None:
        raise ReleaseError(f"Service {SERVICE} selects no slot: the overlay lacks the component blue-green")
    return str(slot)


def _require_ready(kubectl: Kubectl, namespace: str, slot: str) -> None:
    name = f"{SERVICE}-{slot}"
    deployment = kubectl.get("deployment", name, namespace)
    if deployment is None or not deployment["spec"].get("replicas"):
        raise ReleaseError(f"Deployment {name} has no pods; the Service still selects the other slot")
    try:
        kubectl.wait_for_roll_out("deployment", name, namespace, READY_SECONDS)
    except ReleaseError as error:
        raise ReleaseError(
            f"Deployment {name} is not ready; the Service still selects the other slot\n{error}"
        ) from error
