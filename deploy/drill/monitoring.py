"""Prometheus and Alertmanager as local processes, with the shipped rules in compressed windows."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.local.errors import LocalServerError
from deploy.local.local_process import LocalProcess, Recipe
from deploy.local.ports import LOOPBACK, accepts
from deploy.local.process import Launch
from deploy.local.state import StateDirectory
from deploy.prometheus import files

_PACKAGES = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
_ALERTMANAGER = files.REPOSITORY / "deploy/prometheus/alertmanager.yaml"


def require_programs() -> None:
    """Raises LocalServerError if a program is missing, with the package that brings it."""
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if missing:
        raise LocalServerError(f"the drill needs {' and '.join(missing)}: apt-get install {' '.join(missing)}")


class _Program(Recipe):
    """A program with a port and a configuration file in the state directory."""

    stop_seconds = 5.0

    def __init__(self, name: str, state: StateDirectory, folder: Path) -> None:
        self._name, self._state, self._folder = name, state, folder
        self.arguments: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        """The base URL of its HTTP API."""
        return f"http://{LOOPBACK}:{self._state.port(self._name)}"

    async def prepare(self) -> Launch:
        listen = f"--web.listen-address={LOOPBACK}:{self._state.port(self._name)}"
        return Launch(argv=[*self.arguments, listen], directory=self._folder, environment={})

    async def become_usable(self) -> bool:
        return await accepts(self._state.port(self._name))


class Monitoring:
    """One Prometheus that scrapes every second, and one Alertmanager with the shipped inhibitions."""

    def __init__(self, state: Path) -> None:
        directory = StateDirectory(state)
        self.folder = state / "monitoring"
        self._prometheus = _Program("prometheus", directory, self.folder)
        self._alertmanager = _Program("prometheus-alertmanager", directory, self.folder)
        self._processes = [LocalProcess(each, directory) for each in (self._alertmanager, self._prometheus)]

    @property
    def prometheus_url(self) -> str:
        """Where to ask Prometheus."""
        return self._prometheus.url

    @property
    def alertmanager_url(self) -> str:
        """Where to ask which alerts arrived."""
        return self._alertmanager.url

    async def start(self, targets: Mapping[str, list[str]], divisor: int) -> None:
        """Start both on empty data. `targets` maps a job to its addresses (host:port)."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        files.write(files.rules(divisor, {}), self.folder / "rules")
        self._write("prometheus.yml", self._prometheus_settings(targets))
        shutil.copy(_ALERTMANAGER, self.folder / "alertmanager.yml")
        self._prometheus.arguments = [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
        ]
        self._alertmanager.arguments = [
            "prometheus-alertmanager",
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'alertmanager'}",
            "--cluster.listen-address=",
        ]
        for each in self._processes:
            await each.start()

    async def stop(self) -> None:
        """Stop both."""
        async with asyncio.TaskGroup() as group:
            for each in self._processes:
                group.create_task(each.stop())

    def _prometheus_settings(self, targets: Mapping[str, list[str]]) -> dict[str, Any]:
        return {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [f"{self.folder}/rules/*.yaml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [self.alertmanager_url.removeprefix("http://")]}]}]
            },
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": addresses}]} for job, addresses in targets.items()
            ],
        }

    def _write(self, name: str, document: Any) -> None:
        (self.folder / name).write_text(yaml.safe_dump(document))
