"""All questions one after the other, then the page: python -m benchmarks [--quick] [--minutes 30]

Each is a process of its own; one that fails is said and does not stop the others. The page is written after each, so
that what was measured before an interruption is in it. Without the soak it takes some ten minutes.
"""

import argparse
import subprocess
import sys

from benchmarks import document
from benchmarks.question import QUICK_RESULTS, RESULTS, ROOT

QUESTIONS = ("serving", "layers", "reading", "batch", "start", "overload", "faults", "soak")


def main() -> int:
    """Ask all questions. Returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and worthless, into runs/bench-quick")
    parser.add_argument("--minutes", type=float, default=30, help="of the soak; 0: none (default: %(default)s)")
    options = parser.parse_args()
    results, docs = (QUICK_RESULTS, QUICK_RESULTS) if options.quick else (RESULTS, document.DOCS)
    print("Please leave this machine alone until this has ended: others' work spoils what is measured.", flush=True)
    failed = []
    for name in QUESTIONS:
        if name == "soak" and not options.minutes:
            continue
        more = ["--quick"] * options.quick + ["--minutes", f"{options.minutes:g}"] * (name == "soak")
        command = [sys.executable, "-m", f"benchmarks.{name}", *more]
        if subprocess.run(command, cwd=ROOT).returncode:
            failed.append(name)
        document.write(results, docs)
    if failed:
        print(f"benchmarks: these failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
