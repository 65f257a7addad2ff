"""A start with a wrong environment reports each wrong variable."""

import subprocess
import sys

from audit_consumer.settings import AuditSettings


def test_wrong_environment_names_each_variable_and_exits_with_2() -> None:
    wrong = {"TM_HTTP_PORT": "99999", "TM_MONGO_URL": "postgresql://user:secret@host", "TM_AUDIT_BATCH_RECORDS": "many"}
    ended = subprocess.run(
        [sys.executable, "-m", "audit_consumer"], env=wrong, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert all(name in ended.stderr for name in wrong)
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_settings_do_not_print_the_password_of_mongodb() -> None:
    assert "secret" not in repr(AuditSettings(mongo_url="mongodb://user:secret@host/"))
