"""Start the service as `make serve` does: the model into the store, the server up, the addresses printed.

Every trouble that a person can mend ends in one sentence and exit status 2.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

PATIENCE_SECONDS = 180


def main() -> int:
    """Serve until interrupted. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--model", help="name or path of the bundle (default: LUNGCARE_MODEL)")
    options = parser.parse_args()
    try:
        _check_port(options.host, options.port)
        tag = _stored_model(options.model)
    except ServeError as error:
        print(f"lungcare: {error}", file=sys.stderr)
        return 2
    return _serve(options.host, options.port, tag)


class ServeError(RuntimeError):
    """A trouble that a person can mend."""


def _check_port(host: str, port: int) -> None:
    """Raise ServeError unless we can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except (OSError, OverflowError) as error:
            raise ServeError(
                f"Cannot listen on {host} port {port} ({getattr(error, 'strerror', None) or error}). "
                f"Choose another: make serve PORT={port + 1 if 0 < port < 65535 else 3001}"
            ) from error


def _stored_model(name: str | None) -> str:
    """Put the bundle into the store if it is not there. Returns its tag."""
    from lungcare.bundle import BundleError, open_bundle
    from lungcare.settings import Settings, SettingsError

    try:
        # BentoML makes the folders of its home when it is imported.
        from lungcare.store import import_bundle

        return import_bundle(open_bundle(name or Settings.from_environment().model))
    except (BundleError, SettingsError) as error:
        raise ServeError(error) from error
    except OSError as error:
        raise ServeError(f"{error.filename}: {error.strerror}.") from error


def _serve(host: str, port: int, tag: str) -> int:
    command = [sys.executable, "-m", "bentoml", "serve", "service:LungCare", "--host", host, "--port", str(port)]
    print(f"Starting LungCare with {tag} ...", flush=True)
    signal.signal(signal.SIGTERM, _interrupt)
    server = subprocess.Popen([*command, "--arg", f"model={tag}"], cwd=ROOT)
    try:
        if _is_ready(server, host, port):
            at = f"http://{_reachable(host)}:{port}"
            print(f"\nLungCare is ready.\n  page  {at}/ui\n  API   {at}/classify\n  help  {at}/docs\n", flush=True)
        elif server.poll() is None:
            print(f"LungCare runs, and is not ready after {PATIENCE_SECONDS} s: its log says why.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(server)


def _is_ready(server: subprocess.Popen, host: str, port: int) -> bool:
    """Wait until the server answers; False when it ends or takes too long."""
    end = time.monotonic() + PATIENCE_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None and time.monotonic() < end:
        try:
            with opener.open(f"http://{_reachable(host)}:{port}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    return False


def _reachable(host: str) -> str:
    """The address under which this machine itself reaches the server."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{local}]" if ":" in local else local


def _stop(server: subprocess.Popen) -> None:
    """End the server, politely first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
