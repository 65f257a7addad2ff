"""Mutation tests: change the code of each promise in every small way, and count the changes that its tests notice.

Run by `make mutants`. Each group of `tests/mutation/groups.py` is run on a copy of the working tree. Prints the score of each
module and every mutant that survived; docs/mutants.md lists those that no test can notice.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.mutation.groups import GROUPS, Group

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("shared", "control_plane", "data_plane", "audit_consumer")
UNDETECTED = ("survived", "no tests", "suspicious", "not checked")
_RESULT = re.compile(r"^\s+(?P<mutant>\S+)__mutmut_(?P<number>\d+): (?P<result>[a-z ]+)$", re.MULTILINE)
_OUTPUT = sys.stdout.write


def main(names: Iterable[str]) -> None:
    """Run the groups of these names, or all."""
    for name in names or GROUPS:
        _OUTPUT(f"== {name}\n")
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            _run(GROUPS[name], Path(folder) / "tree")


def _run(group: Group, tree: Path) -> None:
    _copy_tree(tree)
    (tree / "setup.cfg").write_text(_configuration(group))
    mutmut = [sys.executable, "-m", "mutmut"]
    done = subprocess.run([*mutmut, "run"], cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603
    results = subprocess.run(  # noqa: S603 - fixed arguments
        [*mutmut, "results", "--all", "true"], cwd=tree, capture_output=True, text=True, check=False
    ).stdout
    found = list(_RESULT.finditer(results))
    if not found:
        sys.exit(f"mutmut found no result:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    survivors: list[str] = []
    for each in found:
        result = each["result"]
        if result in UNDETECTED:
            change = _change([*mutmut, "show", f"{each['mutant']}__mutmut_{each['number']}"], tree)
            if _changes_types_only(change):
                continue
            survivors += [f"  {result}: {each['mutant']}", *(f"    {line}" for line in change)]
        counts[_module_of(each["mutant"], group)][result] += 1
    _print_scores(counts)
    _OUTPUT("".join(f"{line}\n" for line in survivors))


def _copy_tree(tree: Path) -> None:
    """The files that git knows of, as they are now, and new ones that it does not ignore."""
    git = shutil.which("git") or "git"
    listed = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    # mutmut reads its settings from setup.cfg where pyproject.toml has none.


def _configuration(group: Group) -> str:
    settings: Mapping[str, Iterable[str]] = {
        "source_paths": SOURCES,
        "only_mutate": group.modules,
        "also_copy": ("deploy", "docs", "examples", "bench"),
        "pytest_add_cli_args": ("-p", "no:cacheprovider"),
        "pytest_add_cli_args_test_selection": group.tests,
    }
    lines = [f"{name} =\n" + "".join(f"    {each}\n" for each in values) for name, values in settings.items()]
    return "[mutmut]\n" + "".join(lines)


def _module_of(mutant: str, group: Group) -> str:
    dotted = {path.removesuffix(".py").replace("/", "."): path for path in group.modules}
    return next(path for name, path in dotted.items() if mutant.startswith(f"{name}."))


def _print_scores(counts: Mapping[str, Counter[str]]) -> None:
    for module, results in sorted(counts.items()):
        survived = sum(results[each] for each in UNDETECTED)
        score = 1 - survived / results.total()
        _OUTPUT(f"{module}: {score:.2f} of {results.total()} mutants detected, {survived} not\n")


def _change(show: list[str], tree: Path) -> list[str]:
    """The lines that a mutant removes and adds."""
    shown = subprocess.run(show, cwd=tree, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return [line for line in shown.splitlines() if re.match(r"[-+] ", line)]


def _changes_types_only(change: list[str]) -> bool:
    """Whether the lines differ only in the type of a cast, which has no effect when the code runs."""
    return len({re.sub(r"\bcast\([^,]+,", "cast(", line[1:]) for line in change}) == 1


if __name__ == "__main__":
    main(sys.argv[1:])
