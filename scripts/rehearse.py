"""Do with a bento what a container would: its own install step in a fresh environment, then its own entry point, as a
user without rights, from a tree that may not be written to. Needs root, to give its rights up.

    python -m scripts.rehearse dist/lungcare.bento ../shared/data/images/jsrt/0*.webp --python /usr/bin/python3

Asks for its health as the engine would, checks what it says of films against what this checkout says, and writes
docs/results/rehearsal.json.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import requests

from lungcare.bundle import Bundle, open_bundle
from lungcare.conditions import CODES
from lungcare.reading import Reading
from tests import serving

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "rehearsal.json"
NOBODY = 65534
PATIENCE_SECONDS = 900
_LARGEST_DIFFERENCE = 1e-5


def main() -> int:
    """Rehearse, print and write the result. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bento", type=Path)
    parser.add_argument("films", type=Path, nargs="+", help="films to read; the gate has to let one through")
    parser.add_argument(
        "--python", default="python3", help="of the version that the bento asks for (default: %(default)s)"
    )
    parser.add_argument("--model", help="bundle that the bento holds, by name or path (default: that of its tag)")
    parser.add_argument("--result", type=Path, default=RESULT, help="what to write (default: %(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("run it as root: it gives its rights up")
    with tempfile.TemporaryDirectory(prefix="lungcare-rehearsal-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        result = _rehearsed(options.bento, options.films, options.python, options.model, folder)
    options.result.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0 if result["largest_difference"] <= _LARGEST_DIFFERENCE else 1


def _rehearsed(archive: Path, films: list[Path], python: str, bundle: str | None, folder: Path) -> dict:
    tree = folder / "bento"
    with tarfile.open(archive) as bento:
        bento.extractall(tree, filter="data")
    start = time.monotonic()
    venv = _installed(tree, python, folder / "venv")
    installed = time.monotonic() - start
    _make_read_only(folder)
    scratch = folder / "tmp"
    scratch.mkdir()
    os.chown(scratch, NOBODY, NOBODY)
    port = serving.free_port()
    variables = _variables(tree / "env" / "docker" / "Dockerfile") | {
        "PATH": f"{venv}/bin:/usr/bin:/bin",
        "BENTO_PATH": str(tree),
        "BENTOML_HOME": str(scratch / "bentoml"),
        "BENTOML_PORT": str(port),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "NO_PROXY": "*",
    }
    start = time.monotonic()
    process = subprocess.Popen(
        ["bash", str(tree / "env" / "docker" / "entrypoint.sh")],
        cwd=tree,
        env=variables,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        umask=0o077,
        start_new_session=True,
    )
    try:
        ready = _seconds_until_ready(f"http://127.0.0.1:{port}", process, start)
        probe = health_check(tree / "env" / "docker" / "Dockerfile")
        subprocess.run(probe, cwd=tree, env=variables, user=NOBODY, check=True)
        answers = [_answer(f"http://127.0.0.1:{port}", film) for film in films]
        written = _writable(tree, venv)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    model = answers[0]["model"]
    return {
        "bento": archive.name,
        "model": model,
        "python": platform.python_version() if python == sys.executable else _version(python),
        "packages": len(list(venv.glob("lib/*/site-packages/*.dist-info"))),
        "install_seconds": round(installed),
        "ready_seconds": round(ready),
        "user": NOBODY,
        "files_that_the_user_could_write": written,
        "listens_on": variables["BENTOML_HOST"],
        "films": len(answers),
        "films_read": sum(answer["outcome"] == "read" for answer in answers),
        "largest_difference": _difference(open_bundle(bundle or model.partition(":")[0]), films, answers),
    }


def _installed(tree: Path, python: str, venv: Path) -> Path:
    """The environment that the bento's own install step makes, with the variables of its image definition."""
    tools = Path(sys.executable).parent
    subprocess.run([tools / "uv", "venv", "--quiet", "--python", python, venv], check=True)
    variables = {"VIRTUAL_ENV": str(venv), "PATH": f"{tools}:{os.environ['PATH']}", "UV_LINK_MODE": "copy"}
    command = ["bash", "-euo", "pipefail", tree / "env" / "python" / "install.sh"]
    subprocess.run(command, check=True, env=os.environ | _variables(tree / "env" / "docker" / "Dockerfile") | variables)
    return venv


def _make_read_only(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or (os.access(path, os.X_OK) and path.stat().st_mode & 0o111) else 0o444)


def _writable(*trees: Path) -> int:
    """How many files and folders the user may write to: none, since all are root's and for reading."""
    paths = (path for tree in trees for path in tree.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_uid == NOBODY or bool(path.stat().st_mode & 0o022) for path in paths)


def _variables(dockerfile: Path) -> dict[str, str]:
    """What the image definition sets, by ENV or by ARG NAME=VALUE and ENV NAME=$NAME; not where things lie."""
    definition = dockerfile.read_text(encoding="utf-8")
    pairs = re.findall(r"^(?:ARG|ENV) ([A-Z_]+)=([^$\n]*)$", definition, re.MULTILINE)
    places = ("BENTO_", "BENTOML_HOME", "BENTOML_HF", "VIRTUAL_ENV", "DEBIAN_")
    return {name: value.strip("'\"") for name, value in pairs if not name.startswith(places)}


def health_check(dockerfile: Path) -> list[str]:
    """The command by which an engine asks whether the container is healthy."""
    definition = dockerfile.read_text(encoding="utf-8")
    return ["sh", "-c", re.search(r"^HEALTHCHECK .*\\\n\s*CMD (.*)$", definition, re.MULTILINE)[1]]


def _seconds_until_ready(url: str, process: subprocess.Popen, start: float) -> float:
    """Wait until the service takes films."""
    while time.monotonic() - start < PATIENCE_SECONDS:
        if process.poll() is not None:
            raise SystemExit("lungcare: the service ended.")
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return time.monotonic() - start
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise SystemExit(f"lungcare: the service was not ready within {PATIENCE_SECONDS} seconds.")


def _answer(url: str, film: Path) -> dict:
    """What the service says of a film."""
    return requests.post(f"{url}/classify", files={"film": film.read_bytes()}, timeout=120).json()


def _difference(bundle: Bundle, films: list[Path], answers: list[dict]) -> float:
    """The largest difference of a probability from what this checkout reads with the same model."""
    from lungcare.reader import Reader

    reader = Reader(bundle)
    if reader.tag != answers[0]["model"]:
        raise SystemExit(f"lungcare: the bento holds {answers[0]['model']}, this checkout {reader.tag}.")
    differences = []
    for film, answer in zip(films, answers, strict=True):
        expected = reader.read_file(film)
        if answer["outcome"] != expected.outcome:
            raise SystemExit(f"lungcare: {film} was {answer['outcome']} by the bento, {expected.outcome} here.")
        if isinstance(expected, Reading):
            pairs = ((answer["probabilities"][code], getattr(expected.probabilities, code)) for code in CODES)
            differences += [abs(one - other) for one, other in pairs]
    if not differences:
        raise SystemExit("lungcare: no film was read; name some that the gate lets through.")
    return max(differences)


def _version(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    shutil.which("bash") or sys.exit("lungcare: there is no bash.")
    sys.exit(main())
