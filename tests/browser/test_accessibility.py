"""Every screen in both themes, checked by axe-core; whatever Gradio itself breaks would be listed here by name."""

from pathlib import Path

import pytest

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRADIO_BREAKS: set[str] = set()


def violations(page) -> dict[str, list[str]]:
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)["violations"]
    return {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found if rule["id"] not in GRADIO_BREAKS}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en-US", "id-ID"])
def test_no_screen_breaks_a_rule(open_page, film, tmp_path, scheme, language):
    page = open_page(color_scheme=scheme, locale=language)
    assert violations(page) == {}
    for screen in ("examine", "about"):
        page.evaluate("screen => { location.hash = screen; }", screen)
        page.wait_for_selector(f"[data-screen={screen}]:visible")
        assert violations(page) == {}
    page.set_input_files("#lc-file", [film(), film("normal", 2, "b.png")])
    page.wait_for_selector("[data-do=csv]:enabled")
    assert violations(page) == {}
    page.set_input_files("#lc-file", film())
    page.wait_for_selector(".lc-reading")
    assert violations(page) == {}
    page.click("[data-do=zoom]")
    assert violations(page) == {}
    page.keyboard.press("Escape")
    bad = tmp_path / "bad.png"
    bad.write_text("no film")
    page.set_input_files("#lc-file", bad)
    page.wait_for_selector(".lc-alert")
    assert violations(page) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_breaks_no_rule_while_a_film_is_read(open_page, film, scheme):
    page = open_page("examine", color_scheme=scheme)
    page.route("**/component_server/", lambda route: None)
    page.set_input_files("#lc-file", film())
    page.wait_for_selector(".lc-busy")
    assert violations(page) == {}


def test_the_card_of_the_model_breaks_no_rule(open_page, server):
    page = open_page()
    page.goto(server.url + "/model")
    assert violations(page) == {}


def test_motion_is_left_out_where_it_is_not_wanted(open_page):
    page = open_page(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll('.lc *')].filter((item) => {
      const style = getComputedStyle(item);
      return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0;
    }).length"""
    assert page.evaluate(moving) == 0
