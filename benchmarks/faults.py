"""What becomes of faults: python -m benchmarks.faults [--quick]

Starts that have to be refused, in one sentence that says what to do; and faults while a server reads films. That server
runs in a file system of its own: the checkout is read-only, its temporary files lie on a small disk. Linux only, with
`unshare` and the right to make such a file system. tests/service/test_faults.py runs the same with a small model.
Writes docs/results/bench/faults.json.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks import load, machine, question
from lungcare.bundle import NETWORK, Bundle, open_bundle
from lungcare.settings import Settings
from tests import serving

OWN_FILES = ("unshare", "--map-root-user", "--mount", "sh", "-ec")
# $0: folder for temporary files, which becomes a disk of 64 MB; the model goes through it into its store.
# $1, $2: checkout and environment, from now on read-only.
BOUNDED = """
mount -t tmpfs -o size=64m none "$0"
for place in "$1" "$2"; do mount --bind "$place" "$place"; mount -o remount,bind,ro "$place"; done
shift 2
exec "$@"
"""
FULL = 'mount -t tmpfs -o size=32k none "$0"; exec "$@"'
READ_ONLY = 'mount -t tmpfs -o ro none "$0"; exec "$@"'
BODY_SECONDS = 10
PATIENCE_SECONDS = 300
SLOW_CLIENTS = 8
KILLS = 3
TARGETS = {"not_held": ("at most", 0), "back_to_start": ("at most", 1)}


@dataclass(frozen=True)
class Outcome:
    """held: whether it went as it has to. told: what was seen, in a sentence. figures: those with a target."""

    held: bool
    told: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bounded:
    """A server in a file system of its own. start_seconds: until it was ready."""

    server: serving.Server
    start_seconds: float

    def path(self, outside: Path) -> Path:
        """A path as the server's processes see it."""
        return Path(f"/proc/{self.server.pid}/root{outside}")


def main() -> None:
    """Try all faults and write what became of them."""
    options = question.parser(__doc__).parse_args()
    bundle = open_bundle(options.model)
    with question.measuring("faults", options) as figures, tempfile.TemporaryDirectory() as name:
        outcomes = {}
        for number, (fault, attempt) in enumerate(AT_START.items()):
            folder = Path(name) / str(number)
            folder.mkdir()
            outcomes[fault] = attempt(bundle, folder)
        (Path(name) / "server").mkdir()
        with bounded(bundle, Path(name) / "server") as running:
            for fault, meet in WHILE_SERVING.items():
                outcomes[fault] = meet(running)
        figures["model"] = bundle.card.tag
        figures["faults"] = {
            fault: {"held": own.held, "told": own.told.replace(name, "…")} for fault, own in outcomes.items()
        }
        figures["targets"] = TARGETS
        figures["reached"] = {"not_held": sum(not outcome.held for outcome in outcomes.values())}
        for outcome in outcomes.values():
            figures["reached"] |= outcome.figures


# ---- starts that have to be refused


def damaged_store(bundle: Bundle, folder: Path) -> Outcome:
    """The network in the store is cut short; the command that the refusal names mends it."""
    store = [sys.executable, "-m", "lungcare", "store", "--model", str(bundle.folder)]
    environment = os.environ | {"BENTOML_HOME": str(folder)}
    subprocess.run(store, cwd=question.ROOT, env=environment, check=True, capture_output=True)
    stored = folder / "models" / bundle.card.name / bundle.card.version / NETWORK
    os.truncate(stored, stored.stat().st_size // 2)
    refused = _refused(_start(bundle.folder, folder), f"lungcare store --model {bundle.card.name} --replace")
    subprocess.run([*store, "--replace"], cwd=question.ROOT, env=environment, check=True, capture_output=True)
    is_mended = stored.stat().st_size == (bundle.folder / NETWORK).stat().st_size
    return Outcome(refused.held and is_mended, refused.told)


def empty_store(bundle: Bundle, folder: Path) -> Outcome:
    """The service is started by itself, and its model is not in the store."""
    command = [sys.executable, "-m", "bentoml", "serve", "service:LungCare", "--arg", f"model={bundle.card.tag}"]
    return _refused(_ended(command, folder), f"lungcare store --model {bundle.card.name}")


def wrong_weights(bundle: Bundle, folder: Path) -> Outcome:
    """One byte of the network is another one."""
    changed = shutil.copytree(bundle.folder, folder / bundle.card.name)
    data = bytearray((changed / NETWORK).read_bytes())
    data[len(data) // 2] ^= 1
    (changed / NETWORK).write_bytes(data)
    return _refused(_start(changed, folder), "its checksum is not that of the card")


def full_store(bundle: Bundle, folder: Path) -> Outcome:
    """There is no room for the model store."""
    return _refused(_start(bundle.folder, folder, FULL), "No space left on device")


def read_only_store(bundle: Bundle, folder: Path) -> Outcome:
    """The model store may not be written to, and does not hold the model."""
    return _refused(_start(bundle.folder, folder, READ_ONLY), "Read-only file system")


def _start(model: Path, home: Path, file_system: str = "") -> subprocess.CompletedProcess:
    """A start that has to end by itself. file_system: what is mounted in place of the home first."""
    return _ended(serving.from_source(model), home, file_system)


def _ended(command: list[str], home: Path, file_system: str = "") -> subprocess.CompletedProcess:
    own = [*OWN_FILES, file_system, str(home)] if file_system else []
    return subprocess.run(
        [*own, *command, "--port", str(serving.free_port())],
        cwd=question.ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("LUNGCARE_")}
        | {"BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def _refused(done: subprocess.CompletedProcess, words: str) -> Outcome:
    """Whether a start ended with a status of failure, these words in one sentence, and no stack trace."""
    sentences = [line for line in done.stderr.splitlines() if line.startswith("lungcare: ")]
    has_trace = "Traceback" in done.stdout + done.stderr
    held = done.returncode > 0 and len(sentences) == 1 and words in "".join(sentences) and not has_trace
    said = " ".join(sentences) or (done.stdout + done.stderr)[-500:]
    return Outcome(held, f"Exit status {done.returncode}: {said}")


# ---- faults while films are read


@contextmanager
def bounded(bundle: Bundle, folder: Path) -> Iterator[Bounded]:
    """A server on a read-only checkout, with a small disk for temporary files, until the block ends."""
    places = [str(folder / "scratch"), str(question.ROOT), str(Path(sys.prefix).resolve())]
    command = [*OWN_FILES, BOUNDED, *places, *serving.from_source(bundle.folder)]
    start = time.monotonic()
    with serving.serving(command, folder, LUNGCARE_TIMEOUT=str(BODY_SECONDS)) as server:
        yield Bounded(server, time.monotonic() - start)


def read_only(running: Bounded) -> Outcome:
    """The checkout may not be written to, and films are read."""
    try:
        (running.path(question.ROOT) / "written").touch()
        reason = "It could be written to"
    except OSError as error:
        reason = f"To write there fails: {error.strerror}"
    status = _read(running)
    return Outcome(
        reason.endswith("Read-only file system") and status == 200, f"{reason}; a film is answered {status}."
    )


def gone_halfway(running: Bounded) -> Outcome:
    """More clients than there are places go after half of their film; as many, before their answer."""
    clients = Settings.model_fields["max_concurrency"].default + 8
    before = _files(running)
    for share in (0.5, 1):
        for _ in range(clients):
            connection = _begun(running, share)
            # Closed at once, and not politely.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    status, waited = _read_at_last(running)
    # Those whose film had come as a whole are still being read.
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := len(_files(running) - before)) and time.monotonic() < end:
        time.sleep(0.2)
    return Outcome(
        status == 200 and not left,
        f"{2 * clients} went; the next film is answered {status} after {waited:.1f} s, {left} files are left.",
    )


def slow_clients(running: Bounded) -> Outcome:
    """Some send a byte now and then; others are answered meanwhile."""
    with ThreadPoolExecutor(SLOW_CLIENTS) as pool:
        slow = [pool.submit(_trickled, running) for _ in range(SLOW_CLIENTS)]
        others = load.steady(running.server.url, load.films(), 2, BODY_SECONDS / 2)
        statuses = sorted({future.result() for future in slow})
    return Outcome(
        statuses == [408] and set(others.statuses) == {"200"},
        f"{SLOW_CLIENTS} slow ones are answered {statuses} after {BODY_SECONDS} s, "
        f"{len(others.answers)} others meanwhile {others.statuses}.",
    )


def full_disk(running: Bounded) -> Outcome:
    """The disk for temporary files is full, and then no more."""
    fill = running.path(running.server.scratch) / "fill"
    try:
        with fill.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        full, problem = _answer(running)
        lives = load.ask(f"{running.server.url}/livez").status
    finally:
        fill.unlink()
    after = _read(running)
    is_plain = full == 200 or (full >= 500 and "Traceback" not in problem and "code" in json.loads(problem))
    return Outcome(
        is_plain and lives == 200 and after == 200,
        f"While it is full, a film is answered {full} and /livez {lives}; afterwards, a film {after}.",
    )


def killed_worker(running: Bounded) -> Outcome:
    """The process that reads is killed while eight clients send films, several times."""
    statuses: Counter[str] = Counter()
    slowest, back = 0.0, []
    for _ in range(KILLS):
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(load.steady, running.server.url, load.films(), 8, 3, pause=0.05)
            time.sleep(1)
            _kill_worker(running.server.pid)
            killed = time.monotonic()
            done = loaded.result()
        statuses.update(done.statuses)
        slowest = max(slowest, *(answer.seconds for answer in done.answers))
        statuses[str(_read_at_last(running)[0])] += 1
        back.append(time.monotonic() - killed)
    usual = statistics.median(back)
    return Outcome(
        set(statuses) <= {"0", "200", "503"},
        f"Killed {KILLS} times. Answers: {dict(statuses)} (0: a connection error), the slowest after {slowest:.1f} s; "
        f"films are read again after {usual:.0f} s (median), where the whole start took {running.start_seconds:.0f} s.",
        {"back_to_start": round(usual / running.start_seconds, 2)},
    )


def _kill_worker(pid: int) -> None:
    for process in machine.tree(pid):
        if any("worker.service" in word for word in process.cmdline()):
            process.send_signal(signal.SIGKILL)
            return
    raise psutil.NoSuchProcess(pid, msg="no worker found")


def _begun(running: Bounded, share: float) -> socket.socket:
    """A connection over which so much of a film was sent."""
    place = urlsplit(running.server.url)
    connection = socket.create_connection((place.hostname, place.port), timeout=PATIENCE_SECONDS)
    headers, body = load.form(load.films(1)[0])
    lines = [
        f"POST /classify HTTP/1.1\r\nHost: {place.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    connection.sendall(head.encode() + body[: int(share * len(body))])
    return connection


def _trickled(running: Bounded) -> int:
    """The status that a client gets who sends a byte twice a second."""
    connection = _begun(running, 0.5)
    connection.settimeout(0.5)
    end = time.monotonic() + 6 * BODY_SECONDS
    while time.monotonic() < end:
        connection.sendall(b"\0")
        try:
            return int(connection.recv(64).split()[1])
        except TimeoutError:
            continue
    return load.NO_ANSWER


def _read(running: Bounded) -> int:
    return _answer(running)[0]


def _read_at_last(running: Bounded) -> tuple[int, float]:
    """The status of a film, sent until it is read or patience ends, and after how many seconds it was."""
    start = time.monotonic()
    while (status := _read(running)) != 200 and time.monotonic() - start < PATIENCE_SECONDS:
        time.sleep(0.2)
    return status, time.monotonic() - start


def _answer(running: Bounded) -> tuple[int, str]:
    """Status and body of the answer to a film."""
    headers, body = load.form(load.films(1)[0])
    connection = http.client.HTTPConnection(urlsplit(running.server.url).netloc, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", "/classify", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return load.NO_ANSWER, ""
    finally:
        connection.close()


def _files(running: Bounded) -> set[Path]:
    """What lies on the disk for temporary files."""
    return {path for path in running.path(running.server.scratch).rglob("*") if path.is_file()}


AT_START = {
    "the model in the store is damaged": damaged_store,
    "the model is not in the store": empty_store,
    "one byte of the weights is wrong": wrong_weights,
    "no room for the model store": full_store,
    "the model store is read-only": read_only_store,
}
# The last one takes the server down for a while.
WHILE_SERVING = {
    "the checkout is read-only": read_only,
    "clients gone halfway": gone_halfway,
    "slow clients": slow_clients,
    "the disk is full": full_disk,
    "the worker is killed under load": killed_worker,
}


if __name__ == "__main__":
    main()
