import json
import subprocess
import sys

from tests.serving import ROOT

PROBE = """
import logging
from bentoml._internal.log import configure_server_logging
from lungcare import log

configure_server_logging()
log.configure()
log.configure_server()
for name in ("bentoml.server", "uvicorn.error", "some.library", "lungcare.requests"):
    logging.getLogger(name).warning("said by %s", name)
try:
    raise RuntimeError("first\\nsecond")
except RuntimeError:
    logging.getLogger("bentoml.server").exception("failed")
"""


def test_whatever_is_logged_in_a_server_is_one_line_of_json():
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, timeout=300)
    *lines, failed = map(json.loads, done.stdout.splitlines())
    assert [line["message"] for line in lines] == [
        f"said by {name}" for name in ("bentoml.server", "uvicorn.error", "some.library", "lungcare.requests")
    ]
    assert "first\nsecond" in failed["exception"]
    assert not done.stderr
