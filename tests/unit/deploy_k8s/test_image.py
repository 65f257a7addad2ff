"""The Dockerfile and what it copies; the built image is checked by building it."""

import json
import re

from deploy.docker.sbom import bill_of_materials, normalized
from shared.runtime.version import VERSION
from tests.support.kubernetes_manifests import ROOT

DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
LOCKS = [
    (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("control-plane", "data-plane", "audit-consumer")
]
FINAL_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]


def _locked() -> set[tuple[str, str]]:
    return {
        (match[1], match[2])
        for lock in LOCKS
        for line in lock.splitlines()
        if (match := re.match(r"([a-z0-9-]+)==([^ \\]+)", line))
    }


def test_image_runs_as_a_numeric_user_and_ends_on_sigterm() -> None:
    for line in ("USER 10001:10001", "STOPSIGNAL SIGTERM", 'ENTRYPOINT ["/app/.venv/bin/python", "-m"]'):
        assert line in FINAL_STAGE.splitlines()


def test_image_has_all_labels() -> None:
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", FINAL_STAGE))
    assert {"title", "version", "revision", "source", "licenses", "created"} <= labels
    assert f"ARG VERSION={VERSION}" in FINAL_STAGE.splitlines()


def test_builder_installs_with_the_locked_uv() -> None:
    [locked] = re.findall(r"^uv==([^ \\]+)", (ROOT / "requirements" / "bootstrap.txt").read_text(), re.MULTILINE)
    assert re.findall(r"/uv:(\S+)", DOCKERFILE) == [locked]


def test_builder_receives_only_what_is_copied() -> None:
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]
    }
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied


def test_bill_of_materials_is_the_lock_files() -> None:
    components = bill_of_materials(LOCKS, installed=set())["components"]
    assert {(each["name"], each["version"]) for each in components} == _locked()
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in components)


def test_bill_of_materials_says_which_packages_are_for_other_platforms() -> None:
    lock = "Some_Name==1.0 \\\n    --hash=sha256:00\ncolorama==0.4.6 ; sys_platform == 'win32' \\\n"
    components = bill_of_materials([lock], installed={normalized("Some.Name")})["components"]
    assert [(each["name"], each["scope"]) for each in components] == [
        ("colorama", "excluded"),
        ("some-name", "required"),
    ]
    assert components[0]["properties"] == [{"name": "traffic-manager:marker", "value": "sys_platform == 'win32'"}]


def test_same_lock_files_give_the_same_bill_of_materials() -> None:
    first, second = (json.dumps(bill_of_materials(locks, set())) for locks in (LOCKS, LOCKS[::-1]))
    assert first == second
