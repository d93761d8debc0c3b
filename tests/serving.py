"""A real server in a process of its own, for tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """A running server. url: without a slash at the end. scratch: where it puts temporary files. log: what it said.

    pid: of the process that was started; its workers are children of it.
    """

    url: str
    scratch: Path
    log: Path
    pid: int

    def post(self, data: bytes, field: str = "film", name: str = "film.png", **headers: str) -> requests.Response:
        """Send one film to the reading route."""
        return requests.post(f"{self.url}/classify", files={field: (name, data)}, headers=headers, timeout=60)

    def call_page(self, function: str, data: bytes) -> Any:
        """What a function of the page answers to one film, asked as the page asks."""
        components = requests.get(f"{self.url}/ui/config", timeout=60).json()["components"]
        form = {"component_id": components[0]["id"], "fn_name": function, "session_hash": "test"}
        place = f"{self.url}/ui/gradio_api/component_server/"
        return requests.post(place, data=form, files={"film": ("film", data)}, timeout=60).json()


@contextmanager
def serving(
    command: list[str], folder: Path, cwd: Path = ROOT, port: int | None = None, **environment: str
) -> Iterator[Server]:
    """Run `command --port <port, else a free one>` with a model store of its own in `folder`, until the block ends."""
    port = port or free_port()
    scratch = folder / "scratch"
    scratch.mkdir()
    log = folder / "log.txt"
    settings = {"BENTOML_HOME": str(folder / "home"), "TMPDIR": str(scratch), "NO_PROXY": "*", **environment}
    (folder / "home").mkdir(exist_ok=True)
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=cwd,
            env={name: value for name, value in os.environ.items() if not name.startswith("LUNGCARE_")} | settings,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process, log)
        yield Server(f"http://127.0.0.1:{port}", scratch, log, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def from_source(bundle: Path) -> list[str]:
    """The command that serves a bundle from this checkout, as `make serve` does."""
    return [sys.executable, str(ROOT / "scripts" / "serve.py"), "--model", str(bundle)]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{log.read_text()}")
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise RuntimeError(f"the server does not answer:\n{log.read_text()}")
