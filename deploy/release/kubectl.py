"""The commands of `kubectl` that a release needs, each as one method."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from deploy.release.errors import ReleaseError

Document = dict[str, Any]
Run = Callable[[Sequence[str], str | None], str]
"""Runs a command with the given standard input and returns its output. Raises ReleaseError."""


def run(command: Sequence[str], stdin: str | None = None) -> str:
    """The output of a command that succeeds. Raises ReleaseError with its complaint otherwise."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, and the program is kubectl
    except FileNotFoundError:
        raise ReleaseError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Kubectl:
    """One cluster, named by a context of the kubeconfig; the current context when none is given."""

    def __init__(self, context: str | None = None, run: Run = run) -> None:
        self._run = run
        self._command = ["kubectl", *(["--context", context] if context else [])]

    def render(self, overlay: Path) -> list[Document]:
        """The documents of a kustomize directory."""
        return [each for each in yaml.safe_load_all(self._run(["kubectl", "kustomize", str(overlay)], None)) if each]

    def get(self, kind: str, name: str, namespace: str) -> Document | None:
        """One object; None when there is none."""
        found: Document | None = json.loads(
            self._in(namespace, "get", kind, name, "--ignore-not-found", "--output=json") or "null"
        )
        return found

    def apply(self, documents: Sequence[Document]) -> None:
        """Create or update all of them."""
        if documents:
            self._run([*self._command, "apply", "--filename=-"], yaml.safe_dump_all(documents))

    def delete(self, kind: str, name: str, namespace: str) -> None:
        """Delete an object and wait until it is gone; nothing when there is none."""
        self._in(namespace, "delete", kind, name, "--ignore-not-found", "--wait")

    def wait_for_job(self, name: str, namespace: str, seconds: int) -> None:
        """Return when the Job has completed."""
        self._in(namespace, "wait", f"job/{name}", "--for=condition=Complete", f"--timeout={seconds}s")

    def wait_for_roll_out(self, kind: str, name: str, namespace: str, seconds: int) -> None:
        """Return when every pod of the workload is of the newest template and available."""
        self._in(namespace, "rollout", "status", f"{kind.lower()}/{name}", f"--timeout={seconds}s")

    def patch(self, kind: str, name: str, namespace: str, change: Document) -> None:
        """Merge a change into an object."""
        self._in(namespace, "patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")

    def _in(self, namespace: str, *arguments: str) -> str:
        return self._run([*self._command, "--namespace", namespace, *arguments], None)
