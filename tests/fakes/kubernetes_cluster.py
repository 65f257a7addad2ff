"""A cluster in memory, which replaces `kubectl` at its command line."""

import json
from collections.abc import Sequence

import yaml

from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Document


class FakeCluster:
    """Objects by kind and name, in one namespace; `calls`: the commands, in order."""

    def __init__(self, rendered: Sequence[Document] = ()) -> None:
        self.rendered = list(rendered)
        self.objects: dict[tuple[str, str], Document] = {}
        self.calls: list[str] = []
        self.failing: set[str] = set()
        """Names of Jobs and workloads that never finish."""

    def put(self, kind: str, name: str, **fields: object) -> None:
        self.objects[kind, name] = {"kind": kind, "metadata": {"name": name}, **fields}

    def run(self, command: Sequence[str], stdin: str | None) -> str:
        if command[:2] == ["kubectl", "kustomize"]:
            return yaml.safe_dump_all(self.rendered)
        verb = next(word for word in command if word in ("apply", "get", "delete", "wait", "rollout", "patch"))
        answer: str = getattr(self, f"_{verb}")(list(command[command.index(verb) + 1 :]), stdin)
        return answer

    def _apply(self, _: list[str], stdin: str | None) -> str:
        for each in yaml.safe_load_all(stdin or ""):
            self.objects[each["kind"].lower(), each["metadata"]["name"]] = each
            self.calls.append(f"apply {each['kind']} {each['metadata']['name']}")
        return ""

    def _get(self, words: list[str], _: str | None) -> str:
        found = self.objects.get((words[0].lower(), words[1]))
        return json.dumps(found) if found else ""

    def _delete(self, words: list[str], _: str | None) -> str:
        if self.objects.pop((words[0], words[1]), None):
            self.calls.append(f"delete {words[0]} {words[1]}")
        return ""

    def _wait(self, words: list[str], _: str | None) -> str:
        return self._finished(words[0], "wait")

    def _rollout(self, words: list[str], _: str | None) -> str:
        return self._finished(words[1], "rollout")

    def _finished(self, name: str, verb: str) -> str:
        if name.partition("/")[2] in self.failing:
            raise ReleaseError("timed out waiting for the condition")
        self.calls.append(f"{verb} {name}")
        return ""

    def _patch(self, words: list[str], _: str | None) -> str:
        change = json.loads(words[-1].partition("=")[2])
        service = self.objects[words[0], words[1]]
        service["spec"]["selector"].update(change["spec"]["selector"])
        service["metadata"].setdefault("annotations", {}).update(change.get("metadata", {}).get("annotations", {}))
        self.calls.append(f"patch {words[1]}")
        return ""
