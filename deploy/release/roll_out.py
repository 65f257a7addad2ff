"""A deployment, step by step: what it needs is there, the schema, the services, and each step waited for."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deploy.release import manifests
from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Document, Kubectl
from deploy.release.manifests import name_of
from deploy.release.slots import keep_slot

JOB_SECONDS = 900
ROLL_OUT_SECONDS = 600
PUBLISHER = "control-plane"
"""Publishes the events that the other services read. It comes last, so that every reader knows each kind of event."""


class RollOut:
    """One overlay on one cluster."""

    def __init__(self, kubectl: Kubectl, say: Callable[[str], object]) -> None:
        self._kubectl = kubectl
        self._say = say

    def deploy(self, overlay: Path) -> None:
        """Apply the overlay in order; returns when every workload has rolled out. Raises ReleaseError.

        Nothing is applied when something is missing that the overlay only names.
        """
        documents = self._kubectl.render(overlay)
        namespace = manifests.namespace_of(documents)
        self._require_digests(documents, overlay)
        self._require_objects(documents, namespace)
        keep_slot(documents, self._kubectl, namespace)
        rest = [each for each in documents if each["kind"] not in (*manifests.WORKLOADS, "Job")]
        self._kubectl.apply(rest)
        self._say(f"{len(rest)} objects other than workloads are applied in {namespace}")
        self._roll_out(manifests.of_kind(documents, "StatefulSet"), namespace)
        self._run_jobs(manifests.jobs(documents, after_roll_out=False), namespace)
        self._roll_out(manifests.of_kind(documents, "Deployment"), namespace)
        self._run_jobs(manifests.jobs(documents, after_roll_out=True), namespace)

    def _require_digests(self, documents: Sequence[Document], overlay: Path) -> None:
        images = manifests.missing_digests(documents)
        if images:
            name = images[0].partition("@")[0]
            raise ReleaseError(
                f"The overlay names no release: the digest of {name} is all zeros. In {overlay}: "
                f"kustomize edit set image traffic-manager={name}@sha256:…"
            )

    def _require_objects(self, documents: Sequence[Document], namespace: str) -> None:
        missing = []
        for (kind, name), keys in manifests.needed_objects(documents).items():
            found = self._kubectl.get(kind, name, namespace)
            absent = sorted(keys - set((found or {}).get("data", {})))
            if found is None or absent:
                missing.append(f"  {kind} {name}" + (f": {', '.join(absent)}" if absent else ""))
        if missing:
            raise ReleaseError(
                "\n".join(
                    [
                        f"Nothing was applied, because namespace {namespace} lacks:",
                        *missing,
                        "docs/deploy.md, Secrets, has the commands.",
                    ]
                )
            )

    def _run_jobs(self, jobs: Sequence[Document], namespace: str) -> None:
        for job in jobs:
            name = name_of(job)
            if self._is_running(name, namespace):
                self._say(f"Job {name} runs already, since an earlier deployment")
            else:
                # A Job's template is immutable, so an earlier run under this name is deleted. Every Job may run again.
                self._kubectl.delete("job", name, namespace)
                self._kubectl.apply([job])
            self._explained(
                partial(self._kubectl.wait_for_job, name, namespace, JOB_SECONDS),
                f"Job {name} did not complete; its log: kubectl --namespace {namespace} logs job/{name}",
            )
            self._say(f"Job {name} is complete")

    def _is_running(self, job: str, namespace: str) -> bool:
        """Whether a pod of the Job is at work. A Job is named by its release, so it is this one that runs."""
        found = self._kubectl.get("job", job, namespace)
        return bool(found and found.get("status", {}).get("active"))

    def _roll_out(self, workloads: Sequence[Document], namespace: str) -> None:
        publishers = [each for each in workloads if name_of(each) == PUBLISHER]
        for together in ([each for each in workloads if each not in publishers], publishers):
            self._roll_out_together(together, namespace)

    def _roll_out_together(self, workloads: Sequence[Document], namespace: str) -> None:
        if workloads:
            self._kubectl.apply(workloads)
        for workload in workloads:
            kind, name = workload["kind"], name_of(workload)
            undo = f"kubectl --namespace {namespace} rollout undo {kind.lower()}/{name}"
            self._explained(
                partial(self._kubectl.wait_for_roll_out, kind, name, namespace, ROLL_OUT_SECONDS),
                f"{kind} {name} did not roll out; the pods before it still serve. To go back: {undo}",
            )
            self._say(f"{kind} {name} is rolled out")

    @staticmethod
    def _explained(step: Callable[[], None], otherwise: str) -> None:
        try:
            step()
        except ReleaseError as error:
            raise ReleaseError(f"{otherwise}\n{error}") from error
