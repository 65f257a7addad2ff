"""Fetches the issuer's public keys in the background: no request waits for them."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

import httpx2
import structlog

from shared.runtime.access.jwt import JwtVerifier

MIN_REFRESH_SECONDS = 30.0
"""Shortest time between two fetches, whatever keys the tokens name."""
REFRESH_SECONDS = 300.0
"""Time between two fetches while no token names an unknown key."""
FETCH_SECONDS = 5.0
MAX_BYTES = 1024 * 1024

_NOTE = "jwks"
_log = structlog.get_logger(__name__)


class JwksRefresher:
    """Passes the keys of a file or URL to the verifier: on start, every five minutes, and when a token names an unknown key."""

    def __init__(
        self,
        source: str,
        verifier: JwtVerifier,
        *,
        notes: MutableMapping[str, str],
        min_refresh_seconds: float = MIN_REFRESH_SECONDS,
    ) -> None:
        self._source = source
        self._verifier = verifier
        self._notes = notes
        self._min_refresh_seconds = min_refresh_seconds

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            self._verifier.unknown_key_seen.clear()
            await self._refresh()
            await asyncio.sleep(self._min_refresh_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, REFRESH_SECONDS - self._min_refresh_seconds)):
                    await self._verifier.unknown_key_seen.wait()

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._verifier.use(await self._fetch())
        except Exception as error:  # noqa: BLE001 - whatever a source contains, the earlier keys stay in use
            why = f"{type(error).__name__}: {error}"
            self._notes[_NOTE] = "the issuer's keys were not renewed; the log says why"
            _log.warning("the keys that JWTs are verified with were not renewed", source=self._source, why=why)
        else:
            self._notes.pop(_NOTE, None)

    async def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        # Over plain http, which is accepted on loopback only, a proxy or the target of a redirect could supply the keys.
        is_authenticated = self._source.startswith("https://")
        async with (
            httpx2.AsyncClient(trust_env=is_authenticated, follow_redirects=False) as http,
            http.stream("GET", self._source) as response,
        ):
            response.raise_for_status()
            content = b""
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise ValueError(f"the response is larger than {MAX_BYTES} bytes")
            return content
