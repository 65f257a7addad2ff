"""`python -m deploy.release COMMAND`: deploys an overlay, switches slots, and judges a canary. `--help` lists them."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2

from deploy.release import canary, slots
from deploy.release.dev_secrets import NAMESPACE, create_dev_secrets
from deploy.release.errors import ReleaseError
from deploy.release.kubectl import Kubectl
from deploy.release.manifests import namespace_of
from deploy.release.roll_out import RollOut

OVERLAYS = Path(__file__).parents[1] / "k8s" / "overlays"
_QUERY_SECONDS = 30.0


def say(line: str) -> None:
    """One line to the terminal."""
    sys.stdout.write(f"{line}\n")


def _deploy(kubectl: Kubectl, options: argparse.Namespace) -> int:
    RollOut(kubectl, say).deploy(_overlay(options.overlay))
    return 0


def _switch(kubectl: Kubectl, options: argparse.Namespace) -> int:
    before = slots.switch(kubectl, _namespace(kubectl, options), options.slot)
    say(f"Service {slots.SERVICE} selects {options.slot}; before: {before}. To go back: make switch-back")
    return 0


def _switch_back(kubectl: Kubectl, options: argparse.Namespace) -> int:
    before, now = slots.switch_back(kubectl, _namespace(kubectl, options))
    say(f"Service {slots.SERVICE} selects {now} again; before: {before}")
    return 0


def _dev_secrets(kubectl: Kubectl, _: argparse.Namespace) -> int:
    made = create_dev_secrets(kubectl)
    say(f"The Secrets of {NAMESPACE} are {'made' if made else 'there already; nothing was changed'}")
    return 0


def _canary_verdict(_: Kubectl, options: argparse.Namespace) -> int:
    """0 promote, 1 abort, 3 too few requests."""
    selector = {"namespace": options.namespace} if options.namespace else {}
    with httpx2.Client(timeout=_QUERY_SECONDS, trust_env=options.prometheus.startswith("https://")) as http:
        found = canary.verdict(canary.Prometheus(options.prometheus, http), options.window, selector)
    say(str(found))
    return {True: 0, False: 1, None: 3}[found.promote]


def _overlay(name: str) -> Path:
    path = OVERLAYS / name
    if not name or not (path / "kustomization.yaml").exists():
        known = ", ".join(sorted(each.name for each in OVERLAYS.iterdir() if each.is_dir()))
        raise ReleaseError(f"There is no overlay {name or 'without a name'}; OVERLAY is one of: {known}")
    return path


def _namespace(kubectl: Kubectl, options: argparse.Namespace) -> str:
    return namespace_of(kubectl.render(_overlay(options.overlay)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("--context", help="context of the kubeconfig; the current one when left out")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[Kubectl, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text)
        added.set_defaults(run=run)
        return added

    command("deploy", _deploy, "apply an overlay and wait for it").add_argument("overlay")
    switch = command("switch", _switch, "let the Service select a slot")
    switch.add_argument("overlay")
    switch.add_argument("slot")
    command("switch-back", _switch_back, "let the Service select the previous slot").add_argument("overlay")
    command("dev-secrets", _dev_secrets, "make the Secrets of the dev overlay")
    judge = command("canary-verdict", _canary_verdict, "say promote (0), abort (1) or wait (3), with the numbers")
    judge.add_argument("--prometheus", required=True, help="its URL")
    judge.add_argument("--window", default="10m", help="how far to look back (%(default)s)")
    judge.add_argument("--namespace", help="of both tracks, where Prometheus knows several")
    return parser


def main(arguments: list[str]) -> int:
    """0 done, 2 not, after saying why; a canary's verdict has codes of its own."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(Kubectl(options.context or None), options))
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
