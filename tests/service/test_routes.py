"""The routes beside the reading ones, and the contract."""

import json
import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from lungcare import api, openapi
from lungcare.conditions import CODES
from lungcare.problem import STATUS_BY_CODE
from lungcare.reading import Reading
from lungcare.settings import Settings
from tests import phantom
from tests.serving import ROOT


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
    assert set(shown) == set(Reading.model_fields)
    assert shown == Reading.model_validate(shown).model_dump(mode="json")


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


@pytest.mark.parametrize(("language", "name"), [("en", "Tuberculosis"), ("id-ID", "Tuberkulosis")])
def test_the_conditions_are_named_in_the_language_asked_for(server, language, name):
    answer = requests.get(server.url + "/conditions", headers={"accept-language": language}, timeout=30).json()
    assert [condition["code"] for condition in answer["conditions"]] == list(CODES)
    assert answer["conditions"][2]["name"] == name


def test_the_card_is_data_for_programs_and_a_page_for_people(server, reader):
    answer = requests.get(server.url + "/model", timeout=30)
    assert answer.json() == reader.bundle.card.model_dump(mode="json")
    assert answer.headers["vary"] == "Accept"
    page = requests.get(server.url + "/model", headers={"accept": "text/html,*/*"}, timeout=30)
    assert page.headers["content-type"].startswith("text/html")


def test_the_page_offers_no_route_to_the_films_of_others(server):
    for place in ("/etc/passwd", str(server.scratch), str(server.log)):
        assert not requests.get(f"{server.url}/ui/gradio_api/file={place}", timeout=30).ok


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
