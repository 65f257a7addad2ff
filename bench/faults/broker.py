"""A Kafka broker with a second listener, which clients are told to reach through a proxy."""

from pathlib import Path

from deploy.local.kafka.broker import KafkaBroker
from deploy.local.ports import LOOPBACK
from deploy.local.state import StateDirectory

LISTENER, PROXY = "kafka-proxied", "kafka-proxy"
"""The names of the two ports: that of the listener, and the one that the broker advertises for it."""


class ProxiedBroker(KafkaBroker):
    """Clients that begin at the proxy's port stay with it, since the broker's metadata name that port."""

    def __init__(self, state: StateDirectory, jar_cache: Path) -> None:
        super().__init__(state, jar_cache)
        self._ports = state

    def properties(self, data: Path) -> dict[str, str]:
        usual = super().properties(data)
        listener, advertised = (f"PROXIED://{LOOPBACK}:{self._ports.port(each)}" for each in (LISTENER, PROXY))
        return {
            **usual,
            "listeners": f"{usual['listeners']},{listener}",
            "advertised.listeners": f"{usual['advertised.listeners']},{advertised}",
            "listener.security.protocol.map": f"{usual['listener.security.protocol.map']},PROXIED:PLAINTEXT",
        }
