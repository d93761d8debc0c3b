"""Take a picture of every screen of the page: both languages, both themes, desktop and phone, and of what it saves.

Only the films of examples/ are shown. Pictures go into screenshots/, which git ignores; with --readme, two go into
docs/images/.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from lungcare.bundle import open_bundle
from lungcare.conditions import CODES
from lungcare.settings import Settings
from tests import serving

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 360, "height": 740}}
LANGUAGES = {"en": "en-US", "id": "id-ID"}
THEMES = ("light", "dark")
PATIENCE_MS = 120_000


def main() -> int:
    """Take all pictures. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "screenshots", help="folder (default: %(default)s)")
    parser.add_argument("--url", help="a server that runs already (default: one is started)")
    parser.add_argument("--readme", action="store_true", help="take the two pictures of the README instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take = _for_readme if options.readme else _all
        if options.url:
            take(browser, options.url, options.to)
        else:
            bundle = open_bundle(Settings.from_environment().model)
            with serving.serving(serving.from_source(bundle.folder), Path(folder)) as server:
                take(browser, server.url, options.to)
        browser.close()
    return 0


def _all(browser: Browser, url: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    films = [min((ROOT / "examples" / code).glob("*.png")) for code in CODES]
    bad = {"name": "bad.png", "mimeType": "image/png", "buffer": b"no film"}
    several = [{"name": film.name, "mimeType": "image/png", "buffer": film.read_bytes()} for film in films] + [bad]
    for size, viewport in SIZES.items():
        for language, locale in LANGUAGES.items():
            for theme in THEMES:
                page = _open(browser, url, viewport=viewport, locale=locale, color_scheme=theme)

                def shoot(screen: str, page: Page = page, name: str = f"{size}-{language}-{theme}") -> None:
                    page.screenshot(path=folder / f"{screen}-{name}.png", full_page=screen != "zoom")
                    print(f"{screen}-{name}", flush=True)

                shoot("home")
                for screen in ("examine", "about"):
                    page.evaluate("screen => { location.hash = screen; }", screen)
                    shoot(screen)
                page.set_input_files("#lc-file", several)
                page.wait_for_selector("[data-do=csv]:enabled")
                shoot("several")
                page.set_input_files("#lc-file", films[2])
                page.wait_for_selector(".lc-reading")
                shoot("result")
                page.emulate_media(media="print")
                shoot("print")
                page.emulate_media(media="screen")
                page.check("[data-map=show]")
                shoot("map")
                if size == "desktop" and theme == "light":
                    with page.expect_download() as download:
                        page.click("[data-do=picture]")
                    download.value.save_as(folder / f"saved-{language}.png")
                page.click("[data-do=zoom]")
                shoot("zoom")
                page.keyboard.press("Escape")
                page.set_input_files("#lc-file", bad)
                page.wait_for_selector(".lc-alert")
                shoot("refusal")
                page.evaluate("location.hash = 'examine'")
                page.context.set_offline(True)
                page.set_input_files("#lc-file", films[2])
                page.wait_for_selector("[data-code=offline]")
                shoot("offline")
                page.context.set_offline(False)
                page.goto(f"{url}/model")
                shoot("model")
                page.context.close()


def _for_readme(browser: Browser, url: str, _: Path) -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    page = _open(browser, url, viewport=SIZES["desktop"], locale="en-US", color_scheme="light")
    page.screenshot(path=folder / "home.png")
    page.evaluate("location.hash = 'examine'")
    page.get_by_role("button", name="Tuberculosis").first.click()
    page.wait_for_selector(".lc-reading")
    page.screenshot(path=folder / "result.png")


def _open(browser: Browser, url: str, **options) -> Page:
    page = browser.new_context(**options, accept_downloads=True).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}/ui")
    page.wait_for_selector(".lc[data-ready]")
    return page


if __name__ == "__main__":
    sys.exit(main())
