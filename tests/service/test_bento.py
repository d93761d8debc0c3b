"""The bento: built here, carried as one file to a machine that has nothing, served there."""

import os
import subprocess
import sys

import pytest

from lungcare.conditions import CODES
from tests import phantom
from tests.serving import ROOT, serving

BENTOML = [sys.executable, "-m", "bentoml"]


def _run(*command: str, home, cwd=ROOT) -> str:
    environment = os.environ | {"BENTOML_HOME": str(home)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(bundle_folder, tmp_path_factory):
    """The bento as one file; the home in which it was built is another than that in which it is served."""
    folder = tmp_path_factory.mktemp("built")
    model = _run(sys.executable, "-m", "lungcare", "store", "--model", str(bundle_folder), home=folder).strip()
    output = _run(*BENTOML, "build", "--arg", f"model={model}", "--output", "tag", home=folder)
    tag = output.partition("__tag__:")[2].strip()
    path = folder / "lungcare.bento"
    _run(*BENTOML, "export", tag, str(path), home=folder)
    return path, tag


def test_an_exported_bento_reads_alike_from_an_empty_home(exported, reader, tmp_path):
    path, tag = exported
    (tmp_path / "home").mkdir()
    _run(*BENTOML, "import", str(path), home=tmp_path / "home", cwd=tmp_path)
    with serving([*BENTOML, "serve", tag], tmp_path, cwd=tmp_path) as server:
        for look in phantom.LOOKS:
            film = phantom.film(look, 8)
            answer = server.post(film).json()
            expected = reader.read(film)
            assert answer["model"] == reader.tag
            assert [answer["probabilities"][code] for code in CODES] == pytest.approx(
                [getattr(expected.probabilities, code) for code in CODES], abs=1e-5
            )
        assert "http://127.0.0.1:" in server.log.read_text()


def test_a_bento_holds_what_it_needs_and_no_more(exported, tmp_path):
    path, tag = exported
    _run(*BENTOML, "import", str(path), home=tmp_path)
    source = tmp_path / "bentos" / tag.replace(":", "/") / "src"
    names = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    assert {
        "service.py",
        "gradio_app.py",
        "lungcare/words/id.json",
        "lungcare/pages/drawings/chest.svg",
        "LICENSE",
    } <= names
    assert not [name for name in names if name.startswith((".", "tests", "train", "runs"))]
