"""`python -m audit_consumer`: serve the audit API and ingest events until SIGTERM."""

from audit_consumer.settings import AuditSettings
from shared.runtime.server import serve
from shared.runtime.service import Service
from shared.runtime.settings import read_settings

if __name__ == "__main__":
    serve("audit_consumer.composition.app:create_app", Service.AUDIT_CONSUMER, read_settings(AuditSettings))
