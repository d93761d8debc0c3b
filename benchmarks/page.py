"""What the page costs beside its least: python -m benchmarks.page [NAME] [--turns 7]

First view: until the first heading is seen, against a page of the same Gradio with one line of text. Result: from the
choice of a film until its reading is seen, against the bare reading of the same bytes. Each is measured in turns with
its counterpart, so that the ratios hold on a busy machine too. The film is one of examples/, enlarged. Writes
docs/results/page-NAME.json, with what a new visitor is sent (page weight, as it goes over the wire).
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
from playwright.sync_api import Browser, sync_playwright

from lungcare.bundle import open_bundle
from lungcare.reader import Reader
from lungcare.settings import Settings
from tests import serving

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
EXAMPLES = ROOT / "examples"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000

_BARE = """
import sys, uvicorn, gradio as gr
from fastapi import FastAPI

app = FastAPI()
with gr.Blocks(analytics_enabled=False) as blocks:
    gr.Markdown("# Bare")
app.add_api_route("/readyz", lambda: "ready")
uvicorn.run(gr.mount_gradio_app(app, blocks, path="/ui"), port=int(sys.argv[-1]), log_level="warning")
"""


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default=Settings.from_environment().model, help="a model")
    parser.add_argument("--turns", type=int, default=7, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder of the result (default: %(default)s)")
    options = parser.parse_args()
    bundle = open_bundle(options.name)
    example = cv2.imread(str(min(EXAMPLES.glob("pneumonia/*.png"))), cv2.IMREAD_GRAYSCALE)
    film = cv2.imencode(".png", cv2.resize(example, (1260, 1400), interpolation=cv2.INTER_CUBIC))[1].tobytes()
    bare = [sys.executable, "-c", _BARE]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        reader = Reader(bundle)
        with (
            serving.serving(serving.from_source(bundle.folder), Path(one)) as ours,
            serving.serving(bare, Path(two)) as theirs,
        ):
            views = [
                (_first_view(browser, ours.url, ".lc-header"), _first_view(browser, theirs.url, "h1"))
                for _ in range(options.turns)
            ]
            readings = [(_result(browser, ours.url, film), _bare_reading(reader, film)) for _ in range(options.turns)]
        browser.close()
    results = {
        "model": bundle.card.tag,
        "turns": options.turns,
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "first_view": _beside([(view[0], bare_view[0]) for view, bare_view in views]),
        "kilobytes": {"page": views[0][0][1], "bare": views[0][1][1]},
        "result": _beside(readings),
        "film": {"pixels": [1260, 1400], "kilobytes": round(len(film) / 1000)},
    }
    options.to.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1) + "\n"
    (options.to / f"page-{bundle.card.name}.json").write_text(text, encoding="utf-8")
    print(text)


def _first_view(browser: Browser, url: str, heading: str) -> tuple[float, int]:
    """Seconds until a heading is seen by a new visitor, and the kilobytes that were sent for it."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    start = time.perf_counter()
    page.goto(f"{url}/ui/", wait_until="commit")
    page.wait_for_selector(heading)
    seconds = time.perf_counter() - start
    page.wait_for_load_state("load")
    weight = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".reduce((sum, entry) => sum + entry.transferSize, 0)"
    )
    context.close()
    return seconds, round(weight / 1000)


def _result(browser: Browser, url: str, film: bytes) -> float:
    """Seconds from the choice of a film until its reading is seen."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}/ui#examine")
    page.wait_for_selector(".lc[data-ready]")
    start = time.perf_counter()
    page.set_input_files("#lc-file", {"name": "film.png", "mimeType": "image/png", "buffer": film})
    page.wait_for_selector(".lc-reading")
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def _bare_reading(reader: Reader, film: bytes) -> float:
    start = time.perf_counter()
    reader.read(film)
    return time.perf_counter() - start


def _beside(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Medians in seconds, of ours and of its counterpart, and the ratio of the medians."""
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"seconds": round(ours, 3), "beside_seconds": round(theirs, 3), "ratio": round(ours / theirs, 2)}


if __name__ == "__main__":
    main()
