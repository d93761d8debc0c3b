"""The page in a real browser."""

import os
import shutil
from pathlib import Path

import pytest

from lungcare.conditions import CODES
from tests import phantom

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""


@pytest.fixture(scope="module")
def browser():
    if not Path(CHROMIUM).is_file():
        if os.environ.get("CI"):
            pytest.fail("CI has to have Chromium: apt-get install chromium")
        pytest.skip("no Chromium here; install it, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server, request):
    """The page, opened at 360 px in the language of the test (English unless said); nothing outside was asked for."""
    language = getattr(request, "param", "en-US")
    context = browser.new_context(locale=language, viewport={"width": 360, "height": 740})
    page = context.new_page()
    asked = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(server.url)
    page.wait_for_selector(".lc-waiting")
    yield page
    context.close()
    outside = [url for url in asked if not url.startswith((server.url, "data:", "blob:"))]
    assert not outside


def _send(page, path: Path) -> None:
    page.set_input_files("input[type=file]", path)


def test_a_film_gets_four_probabilities(page, reader, tmp_path):
    film = tmp_path / "film.png"
    film.write_bytes(phantom.film("pneumothorax", 5))
    _send(page, film)
    page.wait_for_selector(".lc-reading")
    expected = reader.read(film.read_bytes())
    shown = {
        bar.get_attribute("data-condition"): float(bar.get_attribute("data-probability"))
        for bar in page.query_selector_all(".lc-bar")
    }
    assert tuple(shown) == CODES
    assert shown == pytest.approx(expected.probabilities.model_dump(), abs=1e-5)
    assert page.get_attribute(".lc-reading", "data-finding") == expected.finding
    assert page.get_attribute(".lc-film", "alt")
    assert page.get_by_text("This is no diagnosis").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_bad_file_shows_why_and_the_next_film_is_read(page, tmp_path):
    bad, good = tmp_path / "bad.png", tmp_path / "good.jpg"
    bad.write_text("no film")
    good.write_bytes(phantom.film("normal", 6, "JPEG"))
    _send(page, bad)
    alert = page.wait_for_selector(".lc-alert")
    assert alert.get_attribute("data-code") == "unsupported_format"
    assert "no image that LungCare can open" in alert.inner_text()
    _send(page, good)
    page.wait_for_selector(".lc-reading")


@pytest.mark.parametrize("page", ["id-ID"], indirect=True)
def test_an_example_is_read_in_the_language_of_the_browser(page):
    page.get_by_role("button", name="Tuberkulosis").click()
    reading = page.wait_for_selector(".lc-reading")
    assert "Paling mungkin" in reading.inner_text()
    assert page.get_by_text("Ini bukan diagnosis").is_visible()
