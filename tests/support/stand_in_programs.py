"""Small Python programs that stand in for servers."""

from collections.abc import Callable

from deploy.local.local_process import LocalProcess

READY = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
    def log_message(self, *args):
        pass
print("instance", os.environ["TM_INSTANCE_ID"], os.environ.get("TM_REDIS_URL"), flush=True)
http.server.HTTPServer((os.environ["TM_HTTP_HOST"], int(os.environ["TM_HTTP_PORT"])), Handler).serve_forever()
"""
"""A service that is ready at once."""

WITH_CHILD = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n" + READY
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
DYING = "print('no configuration found'); raise SystemExit(3)"

StandIn = Callable[..., LocalProcess]
"""Creates a server process from a program."""
