"""What becomes of a service whose model reads otherwise than when it was published."""

import json
import os
import shutil
import subprocess
import sys

from tests.serving import ROOT
from tests.test_selfcheck import recorded, with_examples

PROBE = """
import sys
from bentoml._internal.utils.args import set_arguments
from starlette.testclient import TestClient
from lungcare.bundle import open_bundle
from lungcare.store import import_bundle

set_arguments({"model": import_bundle(open_bundle(sys.argv[1]))})
from service import LungCare

with TestClient(LungCare.to_asgi(), raise_server_exceptions=False) as client:
    print(client.get("/livez").status_code, client.get("/readyz").text, sep="\\n")
"""


def test_a_service_that_fails_its_check_lives_but_is_not_ready(bundle_folder, tmp_path):
    changed = with_examples(shutil.copytree(bundle_folder, tmp_path / "phantom"))
    recorded(changed, calibration={"temperature": 2.0})
    (tmp_path / "home").mkdir()
    environment = os.environ | {"BENTOML_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", PROBE, str(changed)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    *log, lives, answer = done.stdout.splitlines()
    assert lives == "200"
    assert json.loads(answer)["code"] == "not_ready"
    assert any("the stage calibration differs" in line for line in log)
