"""The bento: built here, carried as one file to a machine that has nothing, served there."""

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lungcare.conditions import CODES
from scripts.rehearse import health_check
from tests import phantom
from tests.serving import ROOT, serving

BENTOML = [sys.executable, "-m", "bentoml"]


def _run(*command: str, home, cwd=ROOT) -> str:
    environment = os.environ | {"BENTOML_HOME": str(home)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _built(bundle_folder, folder, *options: str):
    """A bento as one file, and its tag."""
    path = folder / "lungcare.bento"
    command = [sys.executable, "-m", "scripts.bento", "--model", str(bundle_folder), "--output", str(path), *options]
    said = _run(*command, home=folder)
    return path, re.search(r" holds (\S+) with the model phantom:0\.0\.1\.", said)[1]


@pytest.fixture(scope="module")
def exported(bundle_folder, tmp_path_factory):
    """The bento as one file; the home in which it was built is another than that in which it is served."""
    return _built(bundle_folder, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def imported(exported, tmp_path_factory):
    """Where an empty store keeps the bento once it is imported."""
    path, tag = exported
    home = tmp_path_factory.mktemp("home")
    _run(*BENTOML, "import", str(path), home=home, cwd=home)
    return home / "bentos" / tag.replace(":", "/")


def test_an_exported_bento_reads_alike_from_an_empty_home(exported, imported, reader, tmp_path):
    _, tag = exported
    home = imported.parent.parent.parent
    probe = health_check(imported / "env" / "docker" / "Dockerfile")
    with serving([*BENTOML, "serve", tag], tmp_path, cwd=tmp_path, BENTOML_HOME=str(home)) as server:
        of_port = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        of_port["BENTOML_PORT"] = server.url.rpartition(":")[2]
        assert subprocess.run(probe, env=of_port).returncode == 0
        for look in phantom.LOOKS:
            film = phantom.film(look, 8)
            answer = server.post(film).json()
            expected = reader.read(film)
            assert answer["model"] == reader.tag
            assert [answer["probabilities"][code] for code in CODES] == pytest.approx(
                [getattr(expected.probabilities, code) for code in CODES], abs=1e-4
            )
        assert "http://127.0.0.1:" in server.log.read_text()
    assert subprocess.run(probe, env=of_port, capture_output=True).returncode == 1


def test_a_bento_holds_what_it_needs_and_no_more(imported):
    source = imported / "src"
    names = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    assert {
        "service.py",
        "gradio_app.py",
        "lungcare/words/id.json",
        "lungcare/pages/drawings/chest.svg",
        "dist/contents/sbom.cdx.json",
        "dist/contents/LICENCES.md",
        "LICENSE",
    } <= names
    assert not [name for name in names if name.startswith((".", "tests", "train", "runs", "deploy"))]


def _packages(bento) -> dict[str, str]:
    """What a bento's install step installs: checked to have a checksum each. Versions by name."""
    requirements = (bento / "env" / "python" / "requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", requirements.strip())
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    return dict(re.findall(r"^([\w.-]+)==(\S+)", requirements, re.MULTILINE))


def _components(bento) -> set[str]:
    """The packages that a bento's SBOM names."""
    bom = json.loads((bento / "src" / "dist" / "contents" / "sbom.cdx.json").read_text())
    assert bom["bomFormat"] == "CycloneDX"
    return {component["name"].lower() for component in bom["components"]}


def test_every_package_of_a_bento_has_its_checksum_its_licence_and_its_place_in_the_sbom(imported):
    assert "bentoml" in _packages(imported)
    names = _components(imported)
    required = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    wanted = [found for found in map(Requirement, required) if found.marker is None or found.marker.evaluate()]
    assert {found.name for found in wanted} <= names <= {name.lower() for name in _packages(imported)}
    licences = (imported / "src" / "dist" / "contents" / "LICENCES.md").read_text()
    assert re.search(r"\| numpy \| \S+ \| .*BSD", licences)
    assert "not stated" not in licences


def test_a_bento_for_a_gpu_brings_cuda_as_packages_into_the_same_image(bundle_folder, imported, tmp_path):
    path, _ = _built(bundle_folder, tmp_path, "--gpu")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "gpu", filter="data")
    packages = _packages(tmp_path / "gpu")
    assert {"tensorflow", "nvidia-cudnn-cu12", "nvidia-cublas-cu12", "bentoml"} <= packages.keys()
    assert "tensorflow-cpu" not in packages
    assert {"tensorflow", "nvidia-cudnn-cu12"} <= _components(tmp_path / "gpu")
    definition = "env/docker/Dockerfile"
    assert (tmp_path / "gpu" / definition).read_text() == (imported / definition).read_text()


def test_the_image_runs_without_rights_listens_everywhere_and_says_whether_it_is_healthy(imported):
    definition = (imported / "env" / "docker" / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11-slim", definition, re.MULTILINE)
    assert re.search(r"^USER bentoml$", definition, re.MULTILINE)
    assert definition.rindex("USER bentoml") > definition.rindex("USER root")
    assert "ARG BENTOML_HOST=0.0.0.0" in definition
    assert "ENV BENTOML_HOST=$BENTOML_HOST" in definition
    assert "ENV UV_REQUIRE_HASHES=$UV_REQUIRE_HASHES" in definition[: definition.index("install.sh")]
    assert not (imported / "env" / "python" / "requirements.lock.txt").exists()
    assert re.search(r"^HEALTHCHECK .*\\\n.*/readyz", definition, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \[ "\S*/env/docker/entrypoint.sh" \]', definition, re.MULTILINE)
    assert 'set -- bentoml serve "$@" "$BENTO_PATH"' in (imported / "env" / "docker" / "entrypoint.sh").read_text()


def test_a_wrong_setting_ends_the_start_of_the_container_with_one_sentence(imported, tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = {"PATH": path, "BENTO_PATH": str(imported), "BENTOML_HOME": str(tmp_path), "LUNGCARE_THREADS": "0"}
    command = ["bash", str(imported / "env" / "docker" / "entrypoint.sh")]
    done = subprocess.run(command, cwd=imported, env=os.environ | told, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "lungcare: LUNGCARE_THREADS is wrong: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bento_records_its_model(imported):
    assert re.search(r"phantom:0\.0\.1", (imported / "bento.yaml").read_text())
