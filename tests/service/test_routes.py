"""The routes beside the reading ones, and the contract."""

import json
import re
from urllib.parse import quote

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from lungcare import api, openapi
from lungcare.api import Batch, ConditionTexts, MappedReading
from lungcare.bundle import Card
from lungcare.conditions import CODES
from lungcare.problem import STATUS_BY_CODE, Problem
from lungcare.reading import Reading
from lungcare.settings import Settings
from tests import phantom
from tests.serving import ROOT

OUTSIDE = "https://lungcare.invalid/film.png"


def test_root_leads_to_the_page(server):
    answer = requests.get(server.url + "/", timeout=30)
    assert answer.url.startswith(server.url + "/ui")
    assert "LungCare" in answer.text


@pytest.mark.parametrize("path", ["/docs", "/ui/"])
def test_pages_name_no_place_outside(server, path):
    answer = requests.get(server.url + path, timeout=30)
    assert answer.ok
    loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"|url\((https?://[^)]+)\)', answer.text)
    assert not [place for place in sum(loaded, ()) if place and not place.startswith(server.url)]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_help_page_names_every_code_and_where_it_was_reached(server):
    text = requests.get(server.url + "/docs", timeout=30).text
    assert all(f'id="{code}"' in text for code in STATUS_BY_CODE)
    assert f"{server.url}/classify" in text
    assert "phantom:0.0.1" in text


def test_the_contract_has_every_route(server):
    contract = requests.get(server.url + "/openapi.json", timeout=30).json()
    assert contract == requests.get(server.url + "/docs.json", timeout=30).json()
    own = {route["route"] for route in requests.get(server.url + "/schema.json", timeout=30).json()["routes"]}
    assert own == {api.CLASSIFY, api.CLASSIFY_BATCH}
    assert own | {api.MODEL, api.CONDITIONS_ROUTE, "/livez", "/readyz", "/healthz", "/metrics"} == set(
        contract["paths"]
    )


def test_the_contract_describes_what_is_answered(server):
    contract = requests.get(server.url + "/openapi.json", timeout=30).json()
    schemas = contract["components"]["schemas"]
    answer = server.post(phantom.film()).json()
    assert set(answer) == set(schemas["Reading"]["properties"])
    problem = server.post(b"")
    assert set(problem.json()) == set(schemas["Problem"]["properties"])
    told = contract["paths"]["/classify"]["post"]["responses"][str(problem.status_code)]
    assert list(told["content"]) == ["application/problem+json"]
    assert problem.json()["code"] in told["description"]


def test_readme_and_contract_show_a_reading_as_it_is_answered():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = json.loads(re.search(r"```json\n(.*?)```", readme, re.DOTALL)[1])
    paths = openapi.document(Settings())["paths"]
    examples = [
        paths[path]["post"]["responses"]["200"]["content"]["application/json"]["example"]
        for path in (api.CLASSIFY, api.CLASSIFY_BATCH)
    ]
    assert shown == examples[0] == examples[1]["results"][0]
    Batch.model_validate(examples[1])
    assert set(shown) == set(Reading.model_fields)
    assert shown == Reading.model_validate(shown).model_dump(mode="json")


def test_every_answer_of_the_contract_has_an_example():
    contract = openapi.document(Settings())
    for path, methods in contract["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["200"]["content"]
            assert "example" in content.get("application/json", {"example": None}), path
    shown = {
        model: contract["components"]["schemas"][model.__name__]["examples"][0] for model in (Problem, MappedReading)
    }
    shown |= {
        model: contract["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        for path, model in ((api.MODEL, Card), (api.CONDITIONS_ROUTE, ConditionTexts))
    }
    assert openapi.help_page(Settings(), "phantom:0.0.1", "").count("Example of an answer") == 4
    for model, example in shown.items():
        assert model.model_validate(example).model_dump(mode="json") == example


def test_the_contract_says_where_a_key_is_wanted():
    assert "security" not in openapi.document(Settings())
    keyed = openapi.document(Settings(api_keys="a-key-of-a-program", root_path="/lungcare"))
    assert keyed["security"] == [{"bearer": []}, {"header": []}]
    assert keyed["servers"] == [{"url": "/lungcare"}]
    for path in ("/livez", "/readyz", "/healthz"):
        assert keyed["paths"][path]["get"]["security"] == []
    assert "security" not in keyed["paths"]["/metrics"]["get"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics", "/schema.json", "/favicon.ico"])
def test_other_routes_answer(server, path):
    assert requests.get(server.url + path, timeout=30).ok


@pytest.mark.parametrize("path", ["/", *(place for place in api.ROUTES if not place.startswith(api.CLASSIFY))])
def test_what_can_be_got_tells_its_head_too(server, path):
    got, head = (ask(server.url + path, timeout=30, allow_redirects=False) for ask in (requests.get, requests.head))
    assert head.status_code == got.status_code < 400
    assert head.headers.get("content-type") == got.headers.get("content-type")
    assert not head.content


@pytest.mark.parametrize(("language", "name"), [("en", "Tuberculosis"), ("id-ID", "Tuberkulosis")])
def test_the_conditions_are_named_in_the_language_asked_for(server, language, name):
    answer = requests.get(server.url + "/conditions", headers={"accept-language": language}, timeout=30)
    assert answer.headers["vary"] == "Accept-Language"
    told = answer.json()["conditions"]
    assert [condition["code"] for condition in told] == list(CODES)
    assert told[2]["name"] == name


def test_the_card_is_data_for_programs_and_a_page_for_people(server, reader):
    answer = requests.get(server.url + "/model", timeout=30)
    assert answer.json() == reader.bundle.card.model_dump(mode="json")
    assert answer.headers["vary"] == "Accept"
    page = requests.get(server.url + "/model", headers={"accept": "text/html,*/*"}, timeout=30)
    assert page.headers["content-type"].startswith("text/html")


def test_the_page_offers_no_route_to_the_films_of_others(server):
    for place in ("/etc/passwd", str(server.scratch), str(server.log)):
        assert not requests.get(f"{server.url}/ui/gradio_api/file={place}", timeout=30).ok


@pytest.mark.parametrize(
    "place",
    [
        *("file={outside}", "file={encoded}", "file/{outside}", "proxy={outside}", "proxy={encoded}"),
        *("dev/reload", "deep_link?session_hash=x", "custom_component/PLANTED%0A/client/a/b", "heartbeat/x"),
        *("startup-events", "openapi.json", "call/classify/x", "upload_progress?upload_id=x", "nothing"),
        *("user", "token", "app_id", "theme.css", "stream/a/b/c/playlist.m3u8", "../login", "../monitoring"),
        *("../svelte/index.js", "../manifest.json", "../pwa_icon", "../robots.txt", "../favicon.ico"),
    ],
)
def test_the_page_has_no_route_but_what_it_needs(server, place):
    place = place.format(outside=OUTSIDE, encoded=quote(OUTSIDE, safe=""))
    url = f"{server.url}/ui/gradio_api/{place}".replace("/gradio_api/..", "")
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        assert requests.request(method, url, stream=True, timeout=30).status_code == 404, method
    assert "PLANTED" not in server.log.read_text()


@pytest.mark.parametrize("place", ["", "/", "/config", "/theme.css", "/gradio_api/info"])
def test_what_the_page_and_gradio_client_need_is_answered(server, place):
    assert requests.get(f"{server.url}/ui{place}", timeout=30).ok


def test_what_the_page_loads_is_there(server):
    html = requests.get(server.url + "/ui/", timeout=30).text
    places = set(re.findall(r'(?:src|href)="(?:\./)?((?:assets|static)/[^"]+)"', html))
    assert len(places) > 1
    assert all(requests.get(f"{server.url}/ui/{place}", timeout=30).ok for place in places)


def test_metrics_count_what_came_of_films(server):
    def count(name: str, **labels: str) -> float:
        text = requests.get(server.url + "/metrics", timeout=30).text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        chosen = [sample for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]
        return sum(sample.value for sample in chosen)

    wanted = [
        ("lungcare_films_total", {"door": "classify", "outcome": "read", "model": "phantom:0.0.1"}),
        ("lungcare_films_total", {"door": "classify", "outcome": "refused", "code": "empty_file"}),
        ("lungcare_films_total", {"door": "page", "outcome": "read"}),
        ("lungcare_stage_seconds_count", {"stage": "network"}),
        ("lungcare_probability_count", {"condition": "normal"}),
        ("lungcare_brightness_count", {}),
        ("lungcare_request_seconds_count", {"route": "/classify", "status": "200"}),
        ("lungcare_problems_total", {"code": "not_found"}),
    ]
    before = [count(name, **labels) for name, labels in wanted]
    server.post(phantom.film())
    server.post(b"")
    server.call_page("read", phantom.film())
    requests.get(server.url + "/nowhere", timeout=30)
    after = [count(name, **labels) for name, labels in wanted]
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1, 1, 2, 2, 2, 1, 1]


def test_metrics_hold_nothing_that_a_sender_wrote(server):
    for path in ("/PLANTED", "/ui/PLANTED", "/classify/PLANTED?PLANTED=1"):
        requests.get(server.url + path, timeout=30)
        requests.post(server.url + path, files={"PLANTED": b"PLANTED"}, timeout=30)
    requests.request("PLANTED", server.url + "/classify", timeout=30)
    text = requests.get(server.url + "/metrics", timeout=30).text
    assert "lungcare_request_seconds" in text
    assert "PLANTED" not in text
    assert "PLANTED" not in server.log.read_text()


def test_each_film_has_a_line_in_the_log(server):
    def sent(door: str, action) -> list[dict]:
        before = server.log.read_text().count("\n")
        action()
        lines = [json.loads(line) for line in server.log.read_text().splitlines()[before:] if line.startswith("{")]
        return [line for line in lines if line["logger"] == "lungcare.films" and line["door"] == door]

    film = phantom.film("tuberculosis", 12)
    (read,) = sent("classify", lambda: server.post(film, **{"X-Request-ID": "of-mine"}))
    assert read["request_id"] == "of-mine"
    assert (read["outcome"], read["model"]) == ("read", "phantom:0.0.1")
    assert set(read["stages"]) >= {"decode", "gate", "scale", "network"}
    assert 0 < read["brightness"] < 1
    assert not {"finding", "probabilities", *CODES} & set(read)
    files = [("films", film), ("films", b"no film")]
    batch = sent("classify_batch", lambda: requests.post(server.url + "/classify_batch", files=files, timeout=60))
    assert [(line["outcome"], line.get("code")) for line in batch] == [
        ("read", None),
        ("refused", "unsupported_format"),
    ]
    assert len({line["request_id"] for line in batch}) == 1
    assert len(sent("page", lambda: server.call_page("read", film))) == 1


def test_the_log_of_the_server_itself_has_the_same_form(server):
    (line,) = [line for line in server.log.read_text().splitlines() if "Service lungcare initialized" in line]
    assert json.loads(line)["logger"].startswith("bentoml")
