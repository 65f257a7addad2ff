"""Reads the sample catalogue: the tenants' services, environments, versions and URLs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ONLINE_BOUTIQUE = Path(__file__).with_name("online-boutique.yaml")


@dataclass(frozen=True, slots=True)
class SampleRoute:
    """A route of the catalogue, with its URL."""

    tenant: str
    service: str
    env: str
    version: str
    url: str

    @property
    def names(self) -> dict[str, str]:
        """The four parts of the route's key."""
        return {"tenant": self.tenant, "service": self.service, "env": self.env, "version": self.version}

    @property
    def path(self) -> str:
        """The route's key in the path of the resolver's API."""
        return "/".join(self.names.values())


def read_catalogue(path: Path = ONLINE_BOUTIQUE) -> list[SampleRoute]:
    """Every route in the file. Raises KeyError if a part of the file is missing."""
    return list(_routes(yaml.safe_load(path.read_text())))


def _routes(catalogue: dict[str, Any]) -> Iterator[SampleRoute]:
    for tenant, services in catalogue["tenants"].items():
        for service, port in services.items():
            for env in catalogue["environments"]:
                for version in catalogue["versions"]:
                    names = {"tenant": tenant, "service": service, "env": env, "version": version}
                    yield SampleRoute(**names, url=catalogue["url"].format(port=port, **names))
