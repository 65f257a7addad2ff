"""The services' addresses and the admin's key, from the `.local/env` that `make up` writes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class LocalUrls:
    """The services' base URLs, and the admin's access key."""

    control_plane: str
    data_planes: tuple[str, ...]
    audit: str
    admin_key: str = field(repr=False)

    @property
    def admin(self) -> dict[str, str]:
        """The header of a request by the local admin."""
        return {"Authorization": f"Bearer {self.admin_key}"}

    @classmethod
    def read(cls, state: Path) -> Self:
        """From the `env` file in the state directory. Raises KeyError if the services are not running."""
        lines = (state / "env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return cls(
            control_plane=values["TM_CONTROL_PLANE_URL"],
            data_planes=tuple(values["TM_DATA_PLANE_URLS"].split(",")),
            audit=values["TM_AUDIT_URL"],
            admin_key=values["TM_ADMIN_KEY"],
        )

    def named(self) -> dict[str, str]:
        """Every service's base URL by its name."""
        resolvers = {f"data_plane {number}": url for number, url in enumerate(self.data_planes, start=1)}
        return {"control_plane": self.control_plane, **resolvers, "audit_consumer": self.audit}
