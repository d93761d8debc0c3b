"""A real Chromium, and the page in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import phantom

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).is_file():
        if os.environ.get("CI"):
            pytest.fail("CI has to have Chromium: apt-get install chromium")
        pytest.skip("no Chromium here; install it, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Any other host fails to resolve: a page that asked one would notice.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server) -> Iterator:
    """A function that opens the page as a new visitor: options are Playwright's, `at` is the screen.

    Afterwards nothing outside was asked for and no script of the page failed.
    """
    contexts, outside, faults = [], [], []

    def opened(at: str = "", url: str = server.url, **options):
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        inside = (url, "data:", "blob:")
        page.on("request", lambda sent: None if sent.url.startswith(inside) else outside.append(sent.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{url}/ui{'#' + at if at else ''}")
        page.wait_for_selector(".lc[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not outside
    assert not faults


@pytest.fixture
def film(tmp_path):
    """A function that writes a drawn film and gives its path."""

    def written(look: str = "pneumothorax", seed: int = 5, name: str = "film.png") -> Path:
        path = tmp_path / name
        path.write_bytes(phantom.film(look, seed, "JPEG" if path.suffix == ".jpg" else "PNG"))
        return path

    return written
