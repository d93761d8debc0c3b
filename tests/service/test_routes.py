"""The routes beside the reading one."""

import re

import pytest
import requests

from lungcare.api import STATUS_BY_CODE
from tests import phantom


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
    assert all(code in text for code in STATUS_BY_CODE if code != "unreadable_file")
    assert f"{server.url}/classify" in text
    assert "phantom:0.0.1" in text


def test_openapi_describes_every_answer(server):
    document = requests.get(server.url + "/docs.json", timeout=30).json()
    route = document["paths"]["/classify"]["post"]
    assert "multipart/form-data" in route["requestBody"]["content"]
    schemas = document["components"]["schemas"]
    for status, name in {
        "200": "Reading",
        "400": "Refusal",
        "413": "Refusal",
        "422": "Refusal",
        "500": "Failure",
    }.items():
        reference = route["responses"][status]["content"]["application/json"]["schema"]["$ref"]
        assert reference == f"#/components/schemas/{name}"
        assert "outcome" in schemas[name]["properties"]
    answer = requests.post(server.url + "/classify", files={"film": phantom.film()}, timeout=30).json()
    assert set(answer) == set(schemas["Reading"]["properties"])


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics", "/schema.json", "/favicon.ico"])
def test_other_routes_answer(server, path):
    assert requests.get(server.url + path, timeout=30).ok


def test_the_page_offers_no_route_to_the_films_of_others(server):
    for place in ("/etc/passwd", str(server.scratch), str(server.log)):
        assert not requests.get(f"{server.url}/ui/gradio_api/file={place}", timeout=30).ok
