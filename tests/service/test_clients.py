"""Each client of the README, run as it is written there."""

import os
import re
import subprocess
import sys

import pytest

from tests import phantom
from tests.serving import ROOT

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Call it")[2].partition("\n## ")[0]
# The last one reads without a service.
CLIENTS = re.findall(r"```(sh|python)\n(.*?)```", SECTION, re.DOTALL)[:-1]


def test_the_readme_shows_all_clients():
    shown = "".join(code for _, code in CLIENTS)
    assert all(name in shown for name in ("curl", "requests", "bentoml.SyncHTTPClient", "gradio_client"))


@pytest.mark.parametrize("number", range(len(CLIENTS)))
def test_a_client_runs_as_written(server, reader, tmp_path, number):
    language, code = CLIENTS[number]
    film = phantom.film("pneumothorax", 8)
    (tmp_path / "film.png").write_bytes(film)
    code = code.replace("http://127.0.0.1:3000", server.url)
    command = [sys.executable, "-c", code] if language == "python" else ["sh", "-ec", code]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert f"finding:{reader.read(film).finding}" in re.sub(r"[\s\"']", "", done.stdout)
