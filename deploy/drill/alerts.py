"""The alerts that Alertmanager would send, and since when their conditions hold."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from deploy.drill.monitoring import Monitoring


@dataclass(frozen=True, slots=True)
class Arrived:
    """An alert that is sent: not silenced, not inhibited by its cause."""

    name: str
    severity: str


class AlertWatch:
    """Asks Alertmanager and Prometheus."""

    def __init__(self, monitoring: Monitoring, http: httpx2.AsyncClient) -> None:
        self._monitoring = monitoring
        self._http = http
        self.first_seen: dict[Arrived, float] = {}
        """Wall-clock times at which each alert was first seen."""

    async def current(self) -> set[Arrived]:
        """The alerts that are sent now. New ones are dated."""
        parameters = {"active": "true", "silenced": "false", "inhibited": "false"}
        found = await self._json(f"{self._monitoring.alertmanager_url}/api/v2/alerts", parameters)
        alerts = {Arrived(each["labels"]["alertname"], each["labels"]["severity"]) for each in found}
        for alert in alerts:
            self.first_seen.setdefault(alert, time.time())
        return alerts

    async def pending_since(self, name: str) -> float | None:
        """The wall-clock time from which the alert's condition has held; None if it does not hold."""
        found = await self._json(f"{self._monitoring.prometheus_url}/api/v1/alerts", {})
        starts = [
            datetime.fromisoformat(each["activeAt"].split(".")[0].rstrip("Z") + "+00:00").timestamp()
            for each in found["data"]["alerts"]
            if each["labels"]["alertname"] == name
        ]
        return min(starts, default=None)

    async def _json(self, url: str, parameters: dict[str, str]) -> Any:
        answer = await self._http.get(url, params=parameters)
        answer.raise_for_status()
        return answer.json()
