"""The page in a real browser: what a visitor does, and what comes of it."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from lungcare import screens
from lungcare.batch import COLUMNS
from lungcare.bundle import open_bundle
from lungcare.conditions import CODES, CONDITIONS
from lungcare.report import PANEL
from tests import phantom, serving

SEND = """async ([name, kind, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  if (kind === "paste") document.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: carried }));
  else for (const step of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(step, { ...options, dataTransfer: carried }));
}"""

# The names of tables of which a part is out of sight.
TOO_WIDE = """() => [...document.querySelectorAll('.lc-wide')].filter((wide) => wide.scrollWidth > wide.clientWidth)
  .map((wide) => wide.getAttribute('aria-label') ?? 'several')"""
TRACK = tuple(bytes.fromhex(PANEL[1:]))

# Writes down the names of files and the values of fields that leave the page.
LISTEN = """() => {
  window.told = [];
  const send = window.fetch;
  window.fetch = (where, options) => {
    if (options?.body instanceof FormData)
      for (const value of options.body.values()) window.told.push(value.name ?? value);
    return send(where, options);
  };
}"""


# The shares of their track that the bars of a saved picture fill, by the colours of the conditions.
def bars_of(picture: Image.Image) -> dict[str, float]:
    pixels = np.asarray(picture.convert("RGB"))
    told = {}
    for condition in CONDITIONS:
        of_bar = (pixels == tuple(bytes.fromhex(condition.colour[1:]))).all(axis=2)
        rows = np.flatnonzero(of_bar.sum(axis=1) == of_bar.sum(axis=1).max())
        filled, row = of_bar[rows[0]].sum(), pixels[rows[0]]
        told[condition.code] = filled / max(1, filled + (row == TRACK).all(axis=1).sum())
    return told


def choose(page, *paths) -> None:
    page.set_input_files("#lc-file", list(paths))


def shown(page) -> dict[str, float]:
    page.wait_for_selector(".lc-reading")
    return {
        bar.get_attribute("data-condition"): float(bar.get_attribute("data-probability"))
        for bar in page.query_selector_all(".lc-bar")
    }


def saved(page, button: str) -> tuple[str, bytes]:
    """Name and content of the file that a button saves."""
    with page.expect_download() as download:
        page.click(f"[data-do={button}]:visible")
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_a_film_chosen_by_the_button_gets_four_probabilities(open_page, reader, film):
    page = open_page()
    page.get_by_role("link", name="Examine a film").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Choose films").click()
    sent = film()  # once: Chromium sends no file that is written anew meanwhile
    chooser.value.set_files(sent)
    expected = reader.read(sent.read_bytes())
    assert shown(page) == pytest.approx(expected.probabilities.model_dump(), abs=1e-4)
    assert tuple(shown(page)) == CODES
    assert page.get_attribute(".lc-reading", "data-finding") == expected.finding
    assert "Most like" in page.evaluate("document.activeElement.innerText")
    assert "%" in page.inner_text("#lc-heard")
    assert page.locator(".lc-reading").get_by_text("This is no diagnosis").is_visible()
    assert page.url.endswith("#result")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_film_can_be_dropped_or_pasted_on_any_screen(open_page, reader, kind):
    import base64

    page = open_page("about")
    data = phantom.film("pneumonia", 4)
    page.evaluate(SEND, ["film.png", kind, base64.b64encode(data).decode()])
    assert shown(page) == pytest.approx(reader.read(data).probabilities.model_dump(), abs=1e-4)


def test_an_example_is_read_and_saved_like_any_film(open_page):
    page = open_page("examine", locale="id-ID")
    page.get_by_role("button", name="Tuberkulosis").click()
    assert shown(page)
    assert "Paling menyerupai" in page.inner_text(".lc-reading")
    assert saved(page, "picture")[1].startswith(b"\x89PNG")


def test_a_bad_file_shows_why_and_the_next_film_is_read(open_page, film, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no film")
    page = open_page("examine")
    choose(page, bad)
    alert = page.wait_for_selector(".lc-alert")
    assert alert.get_attribute("data-code") == "unsupported_format"
    assert "no image that LungCare can open" in alert.inner_text()
    assert page.evaluate("document.activeElement.innerText") == "The film was not read"
    page.get_by_role("link", name="Read another film").click()
    choose(page, film())
    assert shown(page)


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(open_page, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes(50_000_001))
    page = open_page("examine")
    choose(page, large)
    assert page.wait_for_selector(".lc-alert").get_attribute("data-code") == "file_too_large"


def test_a_folder_or_a_file_that_is_gone_is_refused_as_such(open_page, film):
    page = open_page("examine")
    page.evaluate(
        "() => { Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException('', 'NotReadableError')); }"
    )
    choose(page, film())
    assert page.wait_for_selector(".lc-alert").get_attribute("data-code") == "unreadable_file"
    choose(page, film(), film("normal", 1, "b.png"))
    page.wait_for_selector("[data-do=csv]:enabled")
    assert page.locator("[data-screen=several] td[colspan]").count() == 2
    rows = list(csv.reader(io.StringIO(saved(page, "csv")[1].decode("utf-8-sig"))))
    assert [row[1:3] for row in rows[1:]] == [["refused", "unreadable_file"]] * 2
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert {row[-1].partition(":")[0] for row in rows[1:]} == {"phantom"}


def test_work_is_seen_and_told_while_a_film_is_read(open_page, film):
    page = open_page("examine")
    held = []
    page.route("**/component_server/", lambda route: held.append(route))
    choose(page, film())
    page.get_by_role("progressbar", name="Reading the film").wait_for()
    assert "Reading the film" in page.inner_text("#lc-heard")
    while not held:
        page.wait_for_timeout(50)
    assert page.locator(".lc-reading").count() == 0
    held[0].continue_()
    assert shown(page)
    assert page.locator(".lc-working").get_attribute("hidden") is not None


def test_several_films_give_a_table_and_a_csv(open_page, reader, film, tmp_path):
    bad = tmp_path / "=bad.png"
    bad.write_text("no film")
    page = open_page("examine")
    films = [film("normal", 1, "a.png"), film("tuberculosis", 2, "b, c.png"), bad]
    choose(page, *films)
    page.wait_for_selector("[data-do=csv]:enabled")
    assert page.locator("tbody tr").count() == 3 + page.locator("[data-screen=about] tbody tr").count()
    assert "3 films: 2 read, 1 not read." in page.inner_text("[data-screen=several]")
    name, content = saved(page, "csv")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert name.endswith(".csv")
    assert rows[0] == list(COLUMNS)
    assert [row[0] for row in rows[1:]] == ["a.png", "b, c.png", "'=bad.png"]
    for row, path in zip(rows[1:3], films, strict=False):
        expected = reader.read(path.read_bytes())
        assert row[3] == expected.finding
        assert row[4] == str(expected.uncertain).lower()
        assert float(row[COLUMNS.index("normal")]) == pytest.approx(expected.probabilities.normal, abs=1e-4)
    page.get_by_role("button", name="b, c.png").click()
    assert shown(page)
    page.get_by_role("link", name="Back to the table").click()
    page.get_by_role("button", name="a.png").wait_for(state="visible")


def test_a_table_that_was_left_is_gone_on_with(open_page, film):
    page = open_page("examine")
    held = []
    page.route("**/component_server/", lambda route: held.append(route) if len(held) < 2 else route.continue_())
    choose(page, *(film("normal", number, f"{number}.png") for number in range(3)))
    while len(held) < 2:
        page.wait_for_timeout(50)
    page.get_by_role("button", name="2.png").click()
    assert shown(page)
    page.get_by_role("link", name="Back to the table").click()
    page.wait_for_selector("[data-do=csv]:enabled")
    assert "3 films: 3 read, 0 not read." in page.inner_text("[data-screen=several]")
    _, content = saved(page, "csv")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row[:2] for row in rows[1:]] == [[f"{number}.png", "read"] for number in range(3)]


def test_a_trouble_of_a_table_that_is_gone_on_with_is_gone(open_page, film):
    page = open_page("examine")
    place = "**/component_server/"
    page.route(place, lambda route: route.abort())
    choose(page, film(), film("normal", 1, "b.png"))
    page.wait_for_selector("[data-screen=several] .lc-alert")
    page.unroute(place)
    page.get_by_role("button", name="b.png").click()
    assert shown(page)
    page.get_by_role("link", name="Back to the table").click()
    page.wait_for_selector("[data-do=csv]:enabled")
    assert page.locator("[data-screen=several] .lc-alert").count() == 0


def test_an_answer_to_an_older_table_is_dropped(open_page, tmp_path):
    older = [tmp_path / f"{number}.png" for number in range(2)]
    for path in older:
        path.write_text("no film")
    page = open_page("examine")
    page.evaluate("""() => {
        window.held = [];
        window.sends = window.fetch;
        window.fetch = () => new Promise((answered) => window.held.push(answered));
    }""")
    choose(page, *older)
    page.wait_for_function("held.length === 2")
    page.evaluate("location.hash = 'examine'")
    page.wait_for_selector("[data-screen=examine]")
    # The answers come right after new films, before the address has changed.
    page.evaluate("""() => {
        window.fetch = window.sends;
        const films = new DataTransfer();
        for (const name of ["c.png", "d.png"]) films.items.add(new File(["no film"], name));
        const field = document.querySelector("#lc-file");
        field.files = films.files;
        field.dispatchEvent(new Event("change", { bubbles: true }));
        const older = { cells: "<td>", row: ["read", "older"] };
        for (const answered of held) answered({ ok: true, json: async () => older });
    }""")
    page.wait_for_selector("[data-do=csv]:enabled")
    assert "2 films: 0 read, 2 not read." in page.inner_text("[data-screen=several]")
    _, content = saved(page, "csv")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row[:3] for row in rows[1:]] == [[name, "refused", "unsupported_format"] for name in ("c.png", "d.png")]


def test_names_of_files_stay_in_the_browser(open_page, film):
    page = open_page("examine")
    page.evaluate(LISTEN)
    choose(page, film(name="Siti-Rahma.png"))
    shown(page)
    saved(page, "picture")
    choose(page, film(name="Siti-Rahma.png"), film("normal", 1, "Siti-2.png"))
    page.wait_for_selector("[data-do=csv]:enabled")
    told = page.evaluate("window.told")
    assert told.count("film") == 4
    assert "Siti" not in str(told)


def test_a_result_can_be_saved_as_picture_and_data(open_page, reader, film):
    page = open_page("examine")
    choose(page, film(name="name-of-a-patient.png"))
    assert shown(page)
    name, content = saved(page, "picture")
    assert re.fullmatch(r"lungcare-\d{4}-\d\d-\d\d\.png", name)
    assert b"name-of-a-patient" not in content
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (1240, 1754)
        assert not set(picture.info) - {"dpi"}
        assert bars_of(picture) == pytest.approx(shown(page), abs=0.03)
    name, content = saved(page, "json")
    assert name.endswith(".json")
    data, expected = json.loads(content), reader.read(film().read_bytes()).model_dump(mode="json")
    assert data.pop("probabilities") == pytest.approx(expected.pop("probabilities"), abs=1e-4)
    assert data == expected


def test_where_the_network_looked_is_shown_as_strongly_as_wished(open_page, film):
    page = open_page("examine")
    choose(page, film())
    shown(page)
    map_picture, strength = page.locator(".lc-film .lc-map"), page.get_by_label("Strength")
    assert not map_picture.is_visible()
    assert not strength.is_visible()
    page.get_by_label("Show where the network looked").check()
    assert map_picture.is_visible()
    assert page.locator(".lc-reading").get_by_text("Influence, not location").is_visible()
    box, film_box = map_picture.bounding_box(), page.get_by_alt_text("The film that was read").first.bounding_box()
    assert box == pytest.approx(film_box, abs=1)
    opacity = []
    for key in ("Home", "End"):
        strength.press(key)
        opacity.append(float(map_picture.evaluate("picture => getComputedStyle(picture).opacity")))
    assert opacity == [0.1, 1]
    page.get_by_label("Show where the network looked").uncheck()
    assert not map_picture.is_visible()


def test_the_language_follows_the_browser_and_the_switch_and_is_remembered(open_page, film):
    page = open_page("examine", locale="id-ID")
    assert page.get_attribute("html", "lang") == "id"
    choose(page, film())
    shown(page)
    assert "Paling menyerupai" in page.inner_text(".lc-reading")
    page.get_by_role("button", name="English").click()
    assert "Most like" in page.inner_text(".lc-reading")
    assert "menyerupai" not in page.inner_text("body")
    assert page.get_attribute(".lc-film img", "alt") == "The film that was read"
    assert page.title().startswith("Result")
    page.reload()
    page.wait_for_selector(".lc[data-ready]")
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_by_role("button", name="English").get_attribute("aria-pressed") == "true"


def test_every_word_is_of_the_chosen_language(open_page, server, film, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no film")
    # What we have in English alone: the citation, and what the author of a model says of it.
    quoted = ("The LungCare authors", "model ", "A tiny network with random weights")

    def texts(locale: str) -> dict[str, set[str]]:
        page = open_page("examine", locale=locale)
        choose(page, film(), bad)
        page.wait_for_selector("[data-do=csv]:enabled")
        choose(page, film())
        shown(page)
        page.check("[data-map=show]")
        told = {}
        for screen in ("home", "examine", "about", "several", "result"):
            page.evaluate("screen => { location.hash = screen; }", screen)
            page.wait_for_selector(f"[data-screen={screen}]:visible")
            told[screen] = page.inner_text(f"[data-screen={screen}]")
        choose(page, bad)
        page.wait_for_selector(".lc-alert")
        told["refusal"] = page.inner_text("[data-screen=result]")
        page.goto(server.url + "/model")
        told["model"] = page.inner_text("main")
        return {screen: {line.strip() for line in text.splitlines()} for screen, text in told.items()}

    english, indonesian = texts("en-US"), texts("id-ID")
    for screen, lines in english.items():
        same = [line for line in lines & indonesian[screen] if len(line.split()) > 2]
        assert not [line for line in same if not line.startswith(quoted)], screen


def test_back_and_forward_go_from_screen_to_screen(open_page, film):
    page = open_page()
    page.get_by_role("link", name="Examine a film").click()
    choose(page, film())
    shown(page)
    page.click("[data-do=zoom]")
    page.wait_for_selector("dialog[open]")
    page.go_back()
    page.wait_for_selector("[data-screen=examine]", state="visible")
    assert page.locator("dialog[open]").count() == 0
    assert not page.locator(".lc-reading").is_visible()
    page.go_forward()
    page.wait_for_selector(".lc-reading", state="visible")


def test_the_enlarged_film_is_zoomed_by_the_wheel_and_moved_by_the_mouse(open_page, film):
    page = open_page("examine")
    choose(page, film())
    shown(page)
    page.click("[data-do=zoom]")
    page.wait_for_selector("dialog[open]")
    stage = page.locator(".lc-zoom-film")
    picture = stage.locator("img").first
    before = picture.bounding_box()["width"]
    page.mouse.move(500, 400)
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.wait_for_function("before => document.querySelector('.lc-zoom-film img').clientWidth > 2 * before", arg=before)
    was = stage.evaluate("stage => [stage.scrollLeft, stage.scrollTop]")
    page.mouse.down()
    page.mouse.move(560, 430, steps=4)
    page.mouse.up()
    assert stage.evaluate("stage => [stage.scrollLeft, stage.scrollTop]") == pytest.approx(
        [was[0] - 60, was[1] - 30], abs=2
    )
    page.mouse.move(300, 300)
    assert stage.evaluate("stage => stage.scrollLeft") == pytest.approx(was[0] - 60, abs=2)


def test_the_finding_stands_before_the_film_on_a_phone_and_beside_it_on_a_desk(open_page, film):
    tops = {}
    for width in (360, 1280):
        page = open_page("examine", viewport={"width": width, "height": 740})
        choose(page, film())
        shown(page)
        boxes = [page.locator(place).bounding_box() for place in (".lc-finding", ".lc-film", ".lc-bars")]
        tops[width] = [box["y"] for box in boxes]
        assert boxes[2]["y"] < 740
    assert tops[360] == sorted(tops[360])
    assert tops[1280][0] == pytest.approx(tops[1280][1], abs=2)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("busy", 503, "The service is busy"),
        ("too_many_requests", 429, "Too many films in a short time"),
        ("timed_out", 504, "It took too long"),
        ("internal_error", 500, "Something went wrong"),
        ("no_such_code", 418, "cannot be reached"),
        ("file_too_large", 413, "cannot be reached"),
    ],
)
def test_a_service_that_does_not_answer_as_asked_is_said_with_its_reason(open_page, film, code, status, words):
    page = open_page("examine")
    place = "**/component_server/"
    page.route(place, lambda route: route.fulfill(status=status, json={"code": code}))
    choose(page, film())
    alert = page.wait_for_selector("[data-screen=examine] .lc-alert")
    assert words in alert.inner_text()
    choose(page, film(), film("normal", 1, "b.png"))
    assert words in page.wait_for_selector("[data-screen=several] .lc-alert").inner_text()
    page.unroute(place)
    page.locator("[data-screen=several] [data-do=retry]").click()
    page.wait_for_selector("[data-do=csv]:enabled")


def test_the_keyboard_alone_does_everything(open_page, film):
    page = open_page()
    page.on(
        "filechooser", lambda chooser: None
    )  # from now on Chromium hands its choosers over; asking for it takes time

    def tab_to(what: str, key: str = "Tab") -> None:
        for _ in range(60):
            page.keyboard.press(key)
            if page.evaluate("what => document.activeElement?.matches(what)", what):
                assert page.evaluate("document.activeElement.matches(':focus-visible')")
                return
        raise AssertionError(f"Tab never comes to {what}")

    tab_to("a[href='#examine'].lc-main")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-screen=examine]", state="visible")
    tab_to("#lc-file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(film())
    shown(page)
    tab_to("[data-do=picture]")
    with page.expect_download():
        page.keyboard.press("Enter")
    tab_to("[data-do=zoom]", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.wait_for_function("document.querySelector('.lc-zoom-film img').clientWidth > 0")
    before = page.evaluate("document.querySelector('.lc-zoom-film img').clientWidth")
    page.keyboard.press("+")
    page.wait_for_function("before => document.querySelector('.lc-zoom-film img').clientWidth > before", arg=before)
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    page.wait_for_function("document.activeElement.dataset.do == 'zoom'")
    tab_to("a[href='#examine'].lc-button")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-screen=examine]", state="visible")
    tab_to("button[data-example='0']")
    page.keyboard.press("Space")
    page.wait_for_selector(".lc-reading")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (640, 400)])
def test_nothing_scrolls_sideways_on_a_phone_or_at_200_per_cent(open_page, film, tmp_path, width, height):
    bad = tmp_path / "bad.png"
    bad.write_text("no film")
    page = open_page("examine", viewport={"width": width, "height": height}, locale="id-ID")
    choose(page, film(), film("normal", 2, "b.png"), bad)
    page.wait_for_selector("[data-do=csv]:enabled")
    choose(page, film())
    shown(page)
    for screen in ("home", "examine", "result", "several", "about"):
        page.evaluate("screen => { location.hash = screen; }", screen)
        page.wait_for_selector(f"[data-screen={screen}]:visible")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, screen
        assert not page.evaluate(TOO_WIDE), screen
    # The published card has tables that the phantom's has not.
    page.set_content(screens.model_page(open_bundle("lungcare").card))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.evaluate(TOO_WIDE)


def test_two_visitors_at_once_each_get_their_own_reading(open_page, reader, film):
    pages = [open_page("examine"), open_page("examine")]
    films = [film("pneumonia", 1, "a.png"), film("normal", 2, "b.png")]
    for page, path in zip(pages, films, strict=True):
        choose(page, path)
    for page, path in zip(pages, films, strict=True):
        assert shown(page) == pytest.approx(reader.read(path.read_bytes()).probabilities.model_dump(), abs=1e-4)


def test_a_server_that_went_away_is_said_and_the_film_is_read_once_it_is_back(open_page, bundle_folder, film, tmp_path):
    command = serving.from_source(bundle_folder)
    with serving.serving(command, tmp_path) as first:
        page = open_page("examine", url=first.url)
        page.wait_for_timeout(500)
    choose(page, film())
    alert = page.wait_for_selector("[data-code=offline]")
    assert "cannot be reached" in alert.inner_text()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("[data-code=offline]")
    (tmp_path / "again").mkdir()
    with serving.serving(command, tmp_path / "again", port=int(first.url.rpartition(":")[2])):
        page.get_by_role("button", name="Try again").click()
        assert shown(page)
        assert page.locator(".toast-body, .toast-wrap > *").count() == 0


def test_nothing_of_a_film_is_kept_in_the_browser_or_on_the_disk(open_page, server, film):
    page = open_page("examine")
    data = phantom.encode(phantom.chest("normal", 78, 1400, 1400))
    page.set_input_files("#lc-file", {"name": "film.png", "mimeType": "image/png", "buffer": data})
    shown(page)
    saved(page, "picture")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('lungcare'))") == []
    assert page.evaluate("document.cookie") == ""
    left = [path for path in server.scratch.rglob("*") if path.is_file() and path.stat().st_size > 500_000]
    assert not left


def test_the_page_prints_the_result_without_what_is_for_the_screen(open_page, film):
    page = open_page("examine", color_scheme="dark")
    choose(page, film())
    shown(page)
    page.emulate_media(media="print")
    assert not page.locator(".lc-header").is_visible()
    assert not page.locator("[data-do=picture]").is_visible()
    assert page.get_by_alt_text("The film that was read").first.is_visible()
    assert page.locator(".lc-reading").get_by_text("This is no diagnosis").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
