"""Writes the image's bill of materials: one CycloneDX document for all packages that the given lock files pin.

Runs inside the image's build with nothing but the locked packages. The same lock files give the same bytes.
"""

import hashlib
import json
import re
import sys
import uuid
from collections.abc import Iterator, Sequence, Set
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: *; *(?P<marker>[^\\]+?))? *\\?$", re.MULTILINE)


def bill_of_materials(lock_files: Sequence[str], installed: Set[str]) -> dict[str, Any]:
    """The document for the texts of lock files. `installed`: names as `normalized` gives them.

    A pinned package that is not installed, because it is for other platforms, has the scope `excluded`.
    """
    components = {each["bom-ref"]: each for text in lock_files for each in _components(text, installed)}
    content = {
        "metadata": {"component": {"type": "application", "bom-ref": "traffic-manager", "name": "traffic-manager"}},
        "components": [components[reference] for reference in sorted(components)],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        **content,
    }


def normalized(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _components(lock_file: str, installed: Set[str]) -> Iterator[dict[str, Any]]:
    for pin in PIN.finditer(lock_file):
        name, version = normalized(pin["name"]), pin["version"]
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "scope": "required" if name in installed else "excluded",
            "purl": f"pkg:pypi/{name}@{version}",
        }
        if pin["marker"]:
            component["properties"] = [{"name": "traffic-manager:marker", "value": pin["marker"]}]
        yield component


if __name__ == "__main__":
    present = {normalized(each.name) for each in distributions()}
    document = bill_of_materials([Path(name).read_text() for name in sys.argv[1:]], present)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
