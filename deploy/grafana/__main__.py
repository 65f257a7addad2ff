"""Writes the dashboards: `python -m deploy.grafana`, or `make dashboards`. With --check, writes nothing."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import audit, control_plane, dependencies, freshness, overview, resolver
from deploy.grafana.panels import Board, build

HERE = Path(__file__).parent
BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    resolver.BOARD,
    freshness.BOARD,
    control_plane.BOARD,
    audit.BOARD,
    dependencies.BOARD,
)


def files() -> dict[Path, str]:
    """The text of each dashboard by its path."""
    return {HERE / f"{board.name}.json": _text(board) for board in BOARDS}


def _text(board: Board) -> str:
    others = [other for other in BOARDS if other is not board]
    document = json.loads(json.dumps(build(board, others), cls=JSONEncoder))
    return json.dumps(_without_nulls(document), indent=1, sort_keys=True) + "\n"


def _without_nulls(value: object) -> object:
    """Grafana refuses `options: null`. A threshold's first value stays null: it stands for minus infinity."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None or "color" in value}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 if `--check` finds an old dashboard."""
    old = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path in old:
        if "--check" in arguments:
            sys.stderr.write(f"{path} is out of date: run `make dashboards`\n")
        else:
            path.write_text(files()[path])
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
