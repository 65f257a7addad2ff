"""Reads a sample catalogue: which tenant runs which service, in which environments and versions, at which URL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ONLINE_BOUTIQUE = Path(__file__).with_name("online-boutique.yaml")


@dataclass(frozen=True, slots=True)
class SampleRoute:
    """One route of the catalogue and the URL it is to have."""

    tenant: str
    service: str
    env: str
    version: str
    url: str

    @property
    def path(self) -> str:
        """The route as the resolver's path has it."""
        return f"{self.tenant}/{self.service}/{self.env}/{self.version}"

    @property
    def control_path(self) -> str:
        """Where the control API keeps the route."""
        return f"/api/v1/tenants/{self.tenant}/routes/{self.service}/{self.env}/{self.version}"


def read_catalogue(path: Path = ONLINE_BOUTIQUE) -> list[SampleRoute]:
    """Every route that the file describes. Raises KeyError for a file without one of its parts."""
    return list(_routes(yaml.safe_load(path.read_text())))


def _routes(catalogue: dict[str, Any]) -> Iterator[SampleRoute]:
    for tenant, services in catalogue["tenants"].items():
        for service, port in services.items():
            for env in catalogue["environments"]:
                for version in catalogue["versions"]:
                    names = {"tenant": tenant, "service": service, "env": env, "version": version}
                    yield SampleRoute(**names, url=catalogue["url"].format(port=port, **names))
