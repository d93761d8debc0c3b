"""The page without a browser."""

import base64
import copy
import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

import gradio_app
from lungcare import batch, film, screens
from lungcare import reader as reader_module
from lungcare.examples import Example, examples
from lungcare.settings import Settings
from tests import phantom


class BrokenReader:
    """A reader with a fault of our own."""

    tag = "phantom:0.0.1"
    settings = Settings()

    def __init__(self, bundle):
        self.bundle = bundle

    def read(self, data, language="en"):
        raise RuntimeError("secret")

    look = read


@pytest.fixture(scope="module")
def page(reader):
    return gradio_app.Page(reader)


def sent(data: bytes | None = None, **values: str) -> gradio_app.Sent:
    return gradio_app.Sent(data, values)


def test_a_film_comes_back_as_html_and_as_data(page, reader):
    answer = page.read(sent(phantom.film("pneumonia", 3)))
    expected = reader.read(phantom.film("pneumonia", 3))
    assert answer["reading"] == expected.model_dump()
    assert f'data-finding="{expected.finding}"' in answer["html"]
    assert f"Most like {expected.finding}".replace("normal", "a normal film") in answer["spoken"]


def test_a_refusal_is_said_in_both_languages(page):
    answer = page.read(sent(b""))
    assert 'data-code="empty_file"' in answer["html"]
    assert "The file is empty." in answer["html"]
    assert "Berkas ini kosong." in answer["html"]
    assert answer["reading"] is None


def test_a_refused_film_is_decoded_once(page, monkeypatch):
    decoded = []
    decode = reader_module.decode
    monkeypatch.setattr(reader_module, "decode", lambda *given: decoded.append(given) or decode(*given))
    assert page.read(sent(b"no film"))["reading"] is None
    assert len(decoded) == 1


def test_a_row_is_that_of_the_batch(page, reader):
    film = phantom.film("tuberculosis", 3)
    answer = page.row(sent(film))
    assert tuple(answer["row"]) == batch.table_row("", reader.read(film))[1:]
    assert answer["cells"].count("<td") == 1 + 4
    refused = page.row(sent(b"no film"))
    assert refused["row"][:2] == ("refused", "unsupported_format")
    assert len(refused["row"]) == len(answer["row"])


def test_the_picture_to_save_is_a_png_of_an_a4_sheet(page):
    answer = page.picture(sent(phantom.film(), language="id", date="2026-01-31"))
    with Image.open(io.BytesIO(base64.b64decode(answer))) as picture:
        assert picture.format == "PNG"
        assert picture.height / picture.width == pytest.approx(297 / 210, abs=0.01)


@pytest.mark.parametrize("values", [{}, {"language": "xx", "date": "tomorrow"}])
def test_a_picture_without_a_language_or_day_is_one_all_the_same(page, values):
    assert page.picture(sent(phantom.film(), **values))


def test_a_fault_of_ours_is_said_plainly_and_logged(reader, caplog):
    page = gradio_app.Page(BrokenReader(reader.bundle))
    answer = page.read(sent(phantom.film()))
    request_id = caplog.records[-1].args[0]
    assert 'data-code="internal_error"' in answer["html"]
    assert request_id in answer["html"]
    row = page.row(sent(phantom.film()))
    assert row["row"][:2] == ["failed", "internal_error"]
    assert len(row["row"]) == len(batch.COLUMNS) - 1
    assert "secret" not in json.dumps([answer, row])
    assert "secret" in caplog.text


def test_nothing_of_examples_is_shown_where_there_are_none(page, reader):
    assert "data-example" not in screens.page(reader.bundle.card, [], reader.settings)


def test_nothing_of_quality_is_shown_where_nothing_was_measured(reader):
    assert "lc-figures" not in screens.page(reader.bundle.card, [], reader.settings)


def test_figures_on_the_page_are_those_of_the_card(reader):
    def figure(value, films):
        return {"value": value, "low": 0.0, "high": 1.0, "films": films}

    metrics = {
        "test": {"balanced_accuracy": figure(0.4321, 1234)},
        "external": {"by_source": {"tuberculosis/far": {"accuracy": figure(0.5678, 8765)}}},
    }
    card = reader.bundle.card.model_copy(update={"metrics": metrics})
    shown = re.search(r'<div class="lc-figures">(.*?)</div>', screens.page(card, [], reader.settings), re.DOTALL)[1]
    assert set(re.findall(r"\d+", re.sub(r"<[^>]*>", " ", shown))) == {"43", "1234", "57", "8765"}
    shown = re.search(r'lc-figure-table">(.*?)</table>', screens.model_page(card), re.DOTALL)[1]
    assert re.findall(r'<td>(?:<span lang="en">)?([\d.]+)<', shown) == [
        "0.432",
        "0.000",
        "1234",
        "0.568",
        "0.000",
        "8765",
    ]
    assert '<span lang="id">0,432</span>' in shown


def test_the_page_says_the_prevalence_of_the_clinic(reader):
    card = reader.bundle.card
    assert "as if the four conditions were equally frequent" in screens.page(card, [], Settings())
    own = screens.page(card, [], Settings(prevalence=(0.9, 0.06, 0.03, 0.01)))
    assert "as if the four conditions were equally frequent" not in own
    assert "tuberculosis 3.0 %" in own


def test_what_a_card_holds_is_text_and_never_markup(reader):
    changes = {"description": "<script>planted", "data": {"training_films": {"normal/<b>planted": 1}}}
    card = reader.bundle.card.model_copy(update=changes)
    assert "&lt;script&gt;planted" in screens.model_page(card)
    for html in (screens.model_page(card), screens.page(card, [], reader.settings)):
        assert "&lt;b&gt;planted" in html
        assert html.count("planted") == html.count("&gt;planted")


def test_collections_are_called_by_their_names_and_their_terms_said_in_both_languages(reader):
    metrics = {
        "external": {"by_source": {"normal/jsrt": {"accuracy": {"value": 0.6, "low": 0, "high": 1, "films": 9}}}}
    }
    films = {"normal/shenzhen": 12_000, "tuberculosis/shenzhen": 345, "normal/own": 1}
    card = reader.bundle.card.model_copy(update={"metrics": metrics, "data": {"training_films": films}})
    html = screens.model_page(card)
    assert "Normal in JSRT set, read as such" in html
    assert "diminta menyebut sumber dan mengutip" in html
    assert html.count("belum kami ketahui") == 2
    assert "12\N{NARROW NO-BREAK SPACE}346" in html


def test_the_address_of_the_page_tells_of_lungcare_and_not_of_gradio(server):
    html = requests.get(server.url + "/ui/", timeout=30).text
    head = html[: html.index("<script")]
    assert "<title>LungCare</title>" in html
    assert 'property="og:title" content="LungCare"' in html
    assert "how likely it is normal" in re.search(r'<meta name="description" content="([^"]*)"', html)[1]
    assert not re.search(r"gradio|twitter|try out the app", head, re.IGNORECASE)
    assert "manifest.json" not in html
    assert not re.search(r'content="https?:', html)


def test_an_example_is_shown_by_its_condition(reader, tmp_path):
    path = tmp_path / "secret-name.png"
    path.write_bytes(phantom.film())
    html = screens.page(reader.bundle.card, [Example("normal", path)], reader.settings)
    assert 'data-example="0"' in html
    assert "secret-name" not in html


def test_a_drawn_example_is_called_so_wherever_it_is_shown(reader, tmp_path):
    path = tmp_path / "00.png"
    path.write_bytes(phantom.film())
    own = gradio_app.Page(reader)
    for is_synthetic in (True, False):
        own.examples = [Example("normal", path, is_synthetic)]
        answer = own.read(sent(example="0"))
        assert ("Synthetic example, no patient." in answer["html"]) is is_synthetic
        shown = screens.page(reader.bundle.card, own.examples, reader.settings)
        assert shown.count("Contoh sintetis, bukan film pasien.") == (1 if is_synthetic else 0)
        assert shown.count("Foto sintetis, bukan milik pasien mana pun.") == (1 if is_synthetic else 0)
    assert "Synthetic" not in own.read(sent(phantom.film()))["html"]


def test_examples_are_a_few_of_each_condition_in_order(reader, tmp_path):
    for code in ("pneumothorax", "normal"):
        (tmp_path / code).mkdir()
        for name in "fbedca":
            (tmp_path / code / name).write_bytes(phantom.film())
        for name in (".DS_Store", "README", "a.txt"):
            (tmp_path / code / name).write_bytes(b"no film")
    found = [(example.condition, example.path.name) for example in examples(reader.bundle, tmp_path)]
    assert found == [(code, name) for code in ("normal", "pneumothorax") for name in "abcd"]


def mounted(reader, **settings) -> FastAPI:
    """The page in an app of its own, with a reader like this one but for some settings."""
    own = copy.copy(reader)
    own.settings = reader.settings.model_copy(update=settings)
    app = FastAPI(openapi_url=None)
    gradio_app.mount(app, own)
    return app


def test_no_more_films_are_decoded_at_once_than_the_settings_say(reader, monkeypatch):
    under_way, counted = [], []

    def decode(*arguments):
        under_way.append(1)
        counted.append(len(under_way))
        time.sleep(0.02)
        under_way.pop()
        return film.decode(*arguments)

    def ask(function: str) -> int:
        place = "/ui/gradio_api/component_server/"
        return client.post(place, data={"fn_name": function}, files={"film": phantom.film()}).status_code

    monkeypatch.setattr("lungcare.reader.decode", decode)
    monkeypatch.setattr("gradio_app.decode", decode)
    with TestClient(mounted(reader, threads=1)) as client, ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, ["read", "row", "picture"] * 6)) == {200}
    assert len(counted) == 6 * (2 + 1 + 2)
    assert max(counted) == 1


def test_films_that_wait_for_a_place_hold_nothing_else_up(reader, monkeypatch):
    held = threading.Event()
    monkeypatch.setattr("lungcare.reader.decode", lambda *given: held.wait(30) and film.decode(*given))
    app = mounted(reader, threads=1, max_concurrency=50)
    app.add_api_route("/other", lambda: "answered")
    call = {"data": [base64.b64encode(phantom.film()).decode()], "session_hash": "program"}
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        try:
            # More than a server has threads.
            joined = [client.post("/ui/gradio_api/queue/join", json=call).status_code for _ in range(50)]
            assert joined == [200] * 50
            assert pool.submit(client.get, "/other").result(10).json() == "answered"
        finally:
            held.set()
        events = client.get("/ui/gradio_api/queue/data", params={"session_hash": "program"}).text
        assert events.count('"outcome": "read"') == 50


@pytest.mark.parametrize(
    "place",
    ["upload", "process_recording", "run/classify", "api/classify/", "call/classify/", "call/v2/classify", "reset"],
)
def test_no_film_can_be_left_on_the_disk(server, place):
    before = set(server.scratch.rglob("*"))
    answer = requests.post(f"{server.url}/ui/gradio_api/{place}", files={"files": phantom.film()}, timeout=30)
    assert answer.status_code == 404
    assert not [path for path in set(server.scratch.rglob("*")) - before if path.is_file()]


def test_the_page_has_no_function_but_its_own(server):
    config = requests.get(server.url + "/ui/config", timeout=30).json()
    assert [part["type"] for part in config["components"] if part["type"] != "api"] == ["html"]
    assert not config["components"][0]["props"].get("server_fns")
    assert [dependency["api_name"] for dependency in config["dependencies"]] == ["classify"]


CUT_OFF = (
    b'--b\r\nContent-Disposition: form-data; name="fn_name"\r\n\r\nread\r\n'
    b'--b\r\nContent-Disposition: form-data; name="film"; filename="film"\r\n\r\nhalf a fi'
)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"json": {"fn_name": "read", "data": {"path": "/etc/passwd"}}}, 400),
        ({"data": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"data": CUT_OFF, "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400),
        ({"files": {"fn_name": (None, "__init__")}}, 400),
        ({"files": {"other": (None, "x")}}, 400),
        ({"files": {"fn_name": (None, "picture")}}, 422),
        ({"files": {"fn_name": (None, "picture"), "film": b"no film"}}, 422),
        ({"files": {"fn_name": (None, "picture"), "example": (None, "99")}}, 422),
        ({"files": {"fn_name": (None, "picture"), "example": (None, "first")}}, 422),
    ],
)
def test_what_the_page_would_never_ask_is_refused(server, body, status):
    answer = requests.post(server.url + "/ui/gradio_api/component_server/", timeout=30, **body)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"film": (None, "http://127.0.0.1:9/film.png")},
        {"film": (None, "/etc/passwd")},
        {"example": (None, "99")},
        {"example": (None, "-1")},
    ],
)
def test_an_address_a_path_or_an_unknown_example_is_no_film(server, values):
    form = {"fn_name": (None, "read"), **values}
    answer = requests.post(server.url + "/ui/gradio_api/component_server/", files=form, timeout=30)
    assert 'data-code="empty_file"' in answer.json()["html"]


def test_an_upload_that_breaks_off_leaves_nothing_on_the_disk(server):
    before = set(server.scratch.rglob("*"))

    def pieces():
        yield b'--b\r\nContent-Disposition: form-data; name="film"; filename="film"\r\n\r\n'
        yield bytes(3_000_000)
        raise ConnectionError

    headers = {"content-type": "multipart/form-data; boundary=b"}
    with pytest.raises(requests.ConnectionError):
        requests.post(server.url + "/ui/gradio_api/component_server/", data=pieces(), headers=headers, timeout=30)
    assert requests.get(server.url + "/readyz", timeout=30).ok
    assert not [path for path in set(server.scratch.rglob("*")) - before if path.is_file()]


def test_the_card_of_the_model_can_be_read(server):
    text = requests.get(server.url + "/model", headers={"accept": "text/html"}, timeout=30).text
    assert "phantom:0.0.1" in text
    assert "A tiny network with random weights" in text
    assert not re.search(r'(?:src|href)="https?:', text)
