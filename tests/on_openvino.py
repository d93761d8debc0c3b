"""What a network gives on OpenVINO, in a process of its own: a process has one Keras, and that of the tests trains."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def on_openvino(path: Path, films: np.ndarray, output: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """What `Network.look` gives, and "of_threads": the same probabilities, each film asked for by another thread.

    films: float32 (n, size, size, 1). output: shape of what a film becomes, for a network that is no `Network`; then
    "output" is what it gives.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "films.npy", films)
        command = [sys.executable, "-m", "tests.on_openvino", path, folder, *map(str, output)]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"KERAS_BACKEND": "openvino"}, check=True)
        with np.load(folder / "found.npz") as found:
            return dict(found)


def main() -> None:
    """Calculate, and save what was found."""
    from lungcare.network import Network, compiled

    path, folder, output = Path(sys.argv[1]), Path(sys.argv[2]), tuple(map(int, sys.argv[3:]))
    films = np.load(folder / "films.npy")
    if output:
        found = {"output": compiled(path, films.shape[1], *output)(films)}
    else:
        network = Network(path, films.shape[1])
        found = {name: value for name, value in vars(network.look(films)).items() if value is not None}
        with ThreadPoolExecutor(8) as pool:
            found["of_threads"] = np.concatenate(list(pool.map(network, films[:, np.newaxis])))
    assert "tensorflow" not in sys.modules
    np.savez(folder / "found.npz", **found)


if __name__ == "__main__":
    main()
