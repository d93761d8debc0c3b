"""A real service that wants keys, behind a proxy that it trusts, under a prefix: also the page's own calls."""

import base64
import json
import time

import pytest
import requests
from gradio_client import Client

from lungcare.keys import new_key
from tests import phantom, serving

KEY, ENTRY = new_key()
OLD_KEY, OLD_ENTRY = new_key()
PREFIX = "/lungcare"
WITH_KEY = {"X-API-Key": KEY}


@pytest.fixture(scope="module")
def keyed(bundle_folder, tmp_path_factory):
    """The service with two keys in a file, as while they are rotated."""
    folder = tmp_path_factory.mktemp("keyed")
    keys = folder / "keys"
    keys.write_text(f"{OLD_ENTRY}  # goes out in May\n{ENTRY}\n", encoding="utf-8")
    settings = {
        "LUNGCARE_API_KEYS_FILE": str(keys),
        "LUNGCARE_TRUSTED_PROXIES": "127.0.0.1",
        "LUNGCARE_ROOT_PATH": PREFIX,
        "LUNGCARE_LOG_ADDRESSES": "true",
    }
    with serving.serving(serving.from_source(bundle_folder), folder, **settings) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/classify"),
        ("POST", "/classify_batch"),
        ("GET", "/model"),
        ("GET", "/conditions"),
        ("GET", "/metrics"),
        ("GET", "/ui"),
        ("GET", "/ui/"),
        ("GET", "/ui/config"),
        ("POST", "/ui/gradio_api/component_server"),
        ("POST", "/ui/gradio_api/component_server/"),
        ("POST", "/ui/gradio_api/queue/join"),
        ("GET", "/ui/gradio_api/queue/data"),
        ("GET", "/ui/gradio_api/info"),
    ],
)
def test_nothing_is_answered_without_a_key(keyed, method, path):
    for place in (path, PREFIX + path):
        answer = requests.request(method, keyed.url + place, allow_redirects=False, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (401, "no_key")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", "/docs"])
def test_what_tells_how_to_call_is_open(keyed, path):
    assert requests.get(keyed.url + PREFIX + path, timeout=30).ok


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_both_keys_open_while_they_are_rotated(keyed, key):
    headers = {"Authorization": f"Bearer {key}"}
    answer = requests.post(keyed.url + "/classify", files={"film": phantom.film()}, headers=headers, timeout=60)
    assert answer.json()["outcome"] == "read"


def test_the_page_reads_for_a_browser_whose_visitor_gave_the_key(keyed):
    place = keyed.url + PREFIX + "/ui/gradio_api/component_server/"
    sent = {"fn_name": (None, "read"), "film": phantom.film()}
    answer = requests.post(place, files=sent, auth=("anybody", KEY), timeout=60)
    assert answer.json()["reading"]["outcome"] == "read"


def test_gradio_client_reads_with_a_key(keyed):
    client = Client(f"{keyed.url}/ui", headers=WITH_KEY, verbose=False)
    film = base64.b64encode(phantom.film()).decode()
    assert client.predict(film, api_name="/classify")["outcome"] == "read"


def test_the_log_names_the_sender_that_a_trusted_proxy_names(keyed):
    headers = WITH_KEY | {"X-Forwarded-For": "10.1.2.3", "X-Request-ID": "through-a-proxy"}
    assert requests.get(keyed.url + "/model", headers=headers, timeout=30).ok
    end = time.monotonic() + 30
    while "through-a-proxy" not in keyed.log.read_text() and time.monotonic() < end:
        time.sleep(0.1)  # it is logged once the answer has gone
    lines = [json.loads(line) for line in keyed.log.read_text().splitlines() if "through-a-proxy" in line]
    assert [(line["address"], len(line["key"])) for line in lines] == [("10.1.2.3", 8)]
    assert KEY not in keyed.log.read_text()


def test_each_address_behind_the_proxy_has_its_own_attempts(keyed):
    def answers(address: str, times: int) -> list[int]:
        headers = {"X-API-Key": "wrong", "X-Forwarded-For": address}
        return [requests.get(keyed.url + "/model", headers=headers, timeout=30).status_code for _ in range(times)]

    assert answers("10.1.2.4", 21)[-1] == 429
    assert answers("10.1.2.5", 1) == [401]
