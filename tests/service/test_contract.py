"""The contract, held against what is answered to whatever fits it, and to what does not."""

import subprocess
import sys

EXAMPLES = 8


def test_nothing_that_is_asked_breaks_the_contract(server, tmp_path):
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    options = ["--checks", checks, "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"]
    options += ["--mode", "all", "--seed", "1", "--no-color", "--workers", "1", "--request-timeout", "60"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "classify" in done.stdout or "passed" in done.stdout
