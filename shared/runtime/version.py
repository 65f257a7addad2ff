"""The release that runs, and where callers without a credential can read its number."""

import platform
from enum import StrEnum

VERSION = "0.1.0"
API_VERSION = "v1"
"""The version in the paths of the API (docs/api-versions.md)."""
_PRODUCT = "traffic-manager"
_HIDDEN = "hidden"


class PublicVersion(StrEnum):
    """Places in which callers without a credential can read the release's number; each includes those before it."""

    OFF = "off"
    METRICS = "metrics"
    """`tm_build_info` at /metrics."""
    ON = "on"
    """The `Server` header of every response, and the OpenAPI document."""

    @property
    def server(self) -> str:
        """The value of the `Server` header. Without one of its own, a response names the HTTP server's software."""
        return f"{_PRODUCT}/{VERSION}" if self is PublicVersion.ON else _PRODUCT

    @property
    def of_document(self) -> str:
        """The version of the OpenAPI document, which must have one."""
        return VERSION if self is PublicVersion.ON else API_VERSION

    def build_labels(self, revision: str) -> tuple[str, str, str]:
        """The labels of `tm_build_info`: the release, its commit, and Python's version."""
        return (_HIDDEN,) * 3 if self is PublicVersion.OFF else (VERSION, revision, platform.python_version())
