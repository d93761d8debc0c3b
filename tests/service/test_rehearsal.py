"""The bento's own install and start steps: a fresh environment, a user without rights, a tree for reading alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import rehearse
from tests import phantom
from tests.serving import ROOT

UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def python() -> str:
    """A Python of the version of the bento's image that a user without rights may run. Skips where there is none."""
    if os.geteuid() != 0:
        pytest.skip("not root, which alone can give its rights up")
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        command = [name, "-c", "import sys; print(*sys.version_info[:2])"]
        try:
            said = subprocess.run(command, user=rehearse.NOBODY, cwd="/", capture_output=True, text=True).stdout
        except OSError:
            continue
        if said.split() == ["3", "11"]:
            return name
    pytest.skip("no Python 3.11 here that a user without rights may run")


@pytest.fixture
def offline(python, tmp_path) -> dict[str, str]:
    """The variables with which uv asks no network. Skips where its cache lacks the bento's packages."""
    subprocess.run([UV, "venv", "--quiet", "--python", python, tmp_path / "probe"], check=True)
    lock = ROOT / "deploy" / "requirements.lock"
    command = [UV, "pip", "install", "--offline", "--dry-run", "--python", tmp_path / "probe" / "bin" / "python"]
    probe = subprocess.run([*command, "-r", lock], capture_output=True, text=True)
    if probe.returncode != 0 or "Would download" in probe.stderr:
        pytest.skip("the bento's packages are not in uv's cache, and tests ask no network")
    return os.environ | {"UV_OFFLINE": "1"}


def test_a_bento_installs_itself_and_starts_without_rights_on_a_read_only_tree(
    bundle_folder, python, offline, tmp_path
):
    archive, result = tmp_path / "lungcare.bento", tmp_path / "result.json"
    films = []
    for look in phantom.LOOKS:
        films.append(tmp_path / f"{look}.png")
        films[-1].write_bytes(phantom.film(look, 8))
    build = ["-m", "scripts.bento", "--model", bundle_folder, "--output", archive]
    told = ["--python", python, "--model", bundle_folder, "--result", result]
    for command in (build, ["-m", "scripts.rehearse", archive, *films, *told]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=offline, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(result.read_text())
    assert found["model"] == "phantom:0.0.1"
    assert found["user"] == rehearse.NOBODY != 0
    assert found["listens_on"] == "0.0.0.0"
    assert found["files_that_the_user_could_write"] == 0
    assert found["films_read"] == len(films)
    assert found["largest_difference"] <= 1e-4
