"""Secrets for the dev overlay: one random password, and the connection URLs of the servers that it brings along."""

import secrets

from deploy.release.kubectl import Document, Kubectl

NAMESPACE = "traffic-manager-dev"


def dev_secrets(password: str) -> dict[str, dict[str, str]]:
    """The contents of each Secret by its name."""
    postgres = f"postgresql://traffic_manager:{password}@postgres:5432/traffic_manager"
    replica = f"postgresql://traffic_manager:{password}@postgres-replica:5432/traffic_manager"
    return {
        "postgres": {"password": password},
        "migration-postgres": {"url": postgres},
        "control-plane-postgres": {"url": postgres},
        "data-plane-postgres": {"url": postgres, "replica-urls": replica},
        "data-plane-redis": {"url": "redis://redis:6379/0"},
        "audit-consumer-mongo": {"url": "mongodb://mongo-0.mongo:27017/?replicaSet=rs0"},
    }


def create_dev_secrets(kubectl: Kubectl) -> bool:
    """Make the namespace and the Secrets in it; False, and nothing changed, when they are there. Raises ReleaseError."""
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
    if kubectl.get("secret", "postgres", NAMESPACE):
        return False
    kubectl.apply([_secret(name, data) for name, data in dev_secrets(secrets.token_urlsafe(18)).items()])
    return True


def _secret(name: str, data: dict[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": data,
    }
