"""What the decoder costs at its worst: python -m benchmarks.costs [NAME…]

Decodes each file of tests/bombs.py in a process of its own and writes docs/results/costs.json: seconds of the
processor, and the memory beyond that of the process which holds the file's bytes and has decoded a small one. Linux
only.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bombs import BOMBS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "costs.json"
LIMIT_MEGABYTES, LIMIT_SECONDS = 300, 2

_CHILD = """
import sys, time
from pathlib import Path
from lungcare import codecs, film
from lungcare.reading import FilmError
import pydicom.pixels

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

data = Path(sys.argv[1]).read_bytes()
film.decode(Path(sys.argv[2]).read_bytes())
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before, start = memory("VmRSS"), time.process_time()
try:
    film.network_input(film.decode(data), 320)
    outcome = "read"
except FilmError as error:
    outcome = error.code
print(outcome, memory("VmHWM") - before, time.process_time() - start)
"""


def cost(data: bytes, folder: Path) -> dict[str, object]:
    """Outcome ("read", or the code), megabytes and seconds of decoding a file. folder: for the files meanwhile."""
    from tests import phantom

    (folder / "bomb").write_bytes(data)
    (folder / "small").write_bytes(phantom.film())
    command = [sys.executable, "-c", _CHILD, str(folder / "bomb"), str(folder / "small")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if done.returncode:
        return {"outcome": f"died: {done.returncode} {done.stderr[-300:]}", "megabytes": -1, "seconds": -1}
    outcome, megabytes, seconds = done.stdout.split()
    return {"outcome": outcome, "megabytes": round(float(megabytes)), "seconds": round(float(seconds), 2)}


def main(names: list[str]) -> None:
    """Measure all files, or those whose name has one of the words in it; print them, and put them into the results."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if names and RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in BOMBS.items():
            if names and not any(word in name for word in names):
                continue
            data = make()
            results[name] = {"bytes": len(data), **cost(data, Path(folder))}
            result = results[name]
            is_over = result["megabytes"] > LIMIT_MEGABYTES or result["seconds"] > LIMIT_SECONDS
            print(f"{'OVER ' if is_over else '     '}{name}: {result}", flush=True)
    results = {name: results[name] for name in BOMBS if name in results}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
