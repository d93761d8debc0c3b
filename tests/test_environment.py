"""The environment: its requirements, and the sentences of the Makefile's scripts."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path):
    """A folder with the scripts and requirements of this one, and no environment."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, tmp_path)
    return tmp_path


def _environment(checkout: Path, requirements: str = "serve", **variables: str) -> subprocess.CompletedProcess:
    command = ["sh", str(checkout / "scripts" / "environment.sh"), requirements]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60)


def _python(folder: Path, says: str) -> Path:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_an_unsupported_python_is_one_sentence(checkout):
    done = _environment(checkout, PYTHON=str(_python(checkout, "3.8")))
    assert done.returncode == 2
    assert re.fullmatch(r"lungcare: PYTHON=\S+ is no Python that TensorFlow .* supports; .*\.\n", done.stderr)


def test_no_python_at_all_is_one_sentence(checkout):
    tools = checkout / "tools"
    tools.mkdir()
    for name in ("dirname", "cat", "cksum", "tr", "tail"):
        (tools / name).symlink_to(shutil.which(name))
    command = [shutil.which("sh"), str(checkout / "scripts" / "environment.sh"), "serve"]
    done = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs Python" in done.stderr


def test_a_half_made_environment_is_noticed(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / ".lungcare-unfinished").touch()
    done = _environment(checkout, PYTHON=str(_python(checkout, "3.8")))
    assert "left half-made" in done.stderr
    assert not (checkout / ".venv").exists()


def test_requirements_of_a_wrong_name_are_one_sentence_and_touch_nothing(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    _python(checkout / ".venv" / "bin", "3.11").rename(checkout / ".venv" / "bin" / "python")
    done = _environment(checkout, "server")
    assert (done.returncode, done.stderr) == (2, "lungcare: there are no requirements called 'server'.\n")
    assert not (checkout / ".venv" / ".lungcare-unfinished").exists()


def test_a_taken_port_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert re.fullmatch(rf"lungcare: Cannot listen on 127.0.0.1 port {port} .* make serve PORT=\d+\n", done.stderr)


def test_an_unknown_model_is_one_sentence():
    command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--port", "0", "--model", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert re.fullmatch(r"lungcare: There is no model 'nobody' in .*\n", done.stderr)


def test_the_gpu_needs_what_the_processor_needs_beside_tensorflow():
    def lines(name: str) -> set[str]:
        text = (ROOT / name).read_text().splitlines()
        return {line for line in text if line and not line.startswith(("#", "tensorflow"))}

    assert lines("requirements-gpu.txt") == lines("requirements.txt")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt", "requirements-train.txt"])
def test_every_requirement_is_pinned(name):
    for line in (ROOT / name).read_text().splitlines():
        assert line.startswith("#") or "==" in line, line


@pytest.mark.parametrize("name", ["requirements", "requirements-gpu"])
def test_the_lock_of_the_bento_holds_what_is_required(name):
    """Where it does not: make lock."""
    lock = (ROOT / "deploy" / f"{name}.lock").read_text()
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        package, _, version = re.sub(r"\[.*\]", "", line.partition(";")[0].strip()).partition("==")
        assert line.startswith("#") or re.search(
            rf"^{re.escape(package)}=={re.escape(version)}[ ;]", lock, re.MULTILINE
        )


@pytest.mark.parametrize("requirements", ["requirements.txt", "requirements-gpu.txt"])
def test_what_is_served_imports_only_what_its_requirements_name(requirements):
    sources = [ROOT / "service.py", ROOT / "gradio_app.py", *(ROOT / "lungcare").glob("**/*.py")]
    imported = {name for path in sources for name in _imported(path)} - set(sys.stdlib_module_names)
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    named = {_plain(re.split(r"[=\[;]", line)[0]) for line in lines if not line.startswith("#")}
    packages = metadata.packages_distributions()
    ours = {"lungcare", "gradio_app"}
    missing = {name for name in imported - ours if not named & {_plain(own) for own in packages.get(name, ())}}
    assert not missing


def _plain(name: str) -> str:
    """The name of a distribution, that of TensorFlow the same for every processor."""
    return name.lower().replace("_", "-").removesuffix("-cpu")


def _imported(source: Path) -> set[str]:
    """The packages that a file imports, at its head or within."""
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in whole | parts}
