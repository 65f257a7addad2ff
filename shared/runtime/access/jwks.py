"""The issuer's public keys, fetched in the background: no request ever waits for them."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

import httpx2
import structlog

from shared.runtime.access.jwt import JwtVerifier
from shared.runtime.redaction import redact

LEAST_SECONDS = 30.0
"""Between two fetches, whatever tokens name."""
REFRESH_SECONDS = 300.0
"""Between two fetches when no token names an unknown key."""
FETCH_SECONDS = 5.0
LARGEST_BYTES = 1024 * 1024

_NOTE = "jwks"
_log = structlog.get_logger(__name__)


class JwksRefresher:
    """Hands the verifier the keys from a file or URL, at start, every five minutes, and when one is missing."""

    def __init__(
        self,
        source: str,
        verifier: JwtVerifier,
        *,
        notes: MutableMapping[str, str],
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        self._source = source
        self._verifier = verifier
        self._notes = notes
        self._least = least_seconds

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            self._verifier.asked.clear()
            await self._refresh()
            await asyncio.sleep(self._least)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, REFRESH_SECONDS - self._least)):
                    await self._verifier.asked.wait()

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._verifier.use(await self._fetch())
        except (httpx2.HTTPError, OSError, TimeoutError, ValueError) as error:
            why = redact(f"{type(error).__name__}: {error}")
            self._notes[_NOTE] = f"the issuer's keys were not renewed: {why}"
            _log.warning("the keys that JWTs are verified with were not renewed", source=self._source, why=why)
        else:
            self._notes.pop(_NOTE, None)

    async def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with httpx2.AsyncClient() as http, http.stream("GET", self._source) as answer:
            answer.raise_for_status()
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > LARGEST_BYTES:
                    raise ValueError(f"the answer is larger than {LARGEST_BYTES} bytes")
            return content
