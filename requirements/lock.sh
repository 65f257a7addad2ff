#!/usr/bin/env bash
# Writes requirements/<group>.txt with hashes from pyproject.toml. One resolution constrains all groups to the same versions.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
groups=(control-plane data-plane audit-consumer servers dev bench mutants bootstrap)
every=$(mktemp)
trap 'rm -f "$every"' EXIT
options=(--quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock")
"$uv" pip compile "${options[@]}" "$@" "${groups[@]/#/--group=}" -o "$every"
for group in "${groups[@]}"; do
    "$uv" pip compile "${options[@]}" --generate-hashes --group="$group" --constraint "$every" -o "requirements/$group.txt"
done
