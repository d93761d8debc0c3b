"""Every example that the published model brings, clicked as a visitor does."""

import pytest

from lungcare.bundle import open_bundle
from lungcare.examples import frozen_examples
from tests import serving
from tests.browser.test_page import shown


@pytest.fixture(scope="module")
def published():
    return open_bundle("lungcare")


@pytest.fixture(scope="module")
def published_server(published, tmp_path_factory):
    """The service with the published model and its own examples."""
    with serving.serving(serving.from_source(published.folder), tmp_path_factory.mktemp("published")) as server:
        yield server


def test_every_example_reads_as_its_condition_with_its_frozen_probabilities(open_page, published, published_server):
    films = frozen_examples(published).films
    page = open_page("examine", url=published_server.url)
    buttons = page.locator("[data-example]")
    assert buttons.count() == len(films) == 16
    for place, film in enumerate(films):
        page.evaluate("location.hash = 'examine'")
        buttons.nth(place).click()
        told = shown(page)
        assert max(told, key=told.get) == film.condition, film.file
        assert told == pytest.approx(film.reading.probabilities.model_dump(), abs=1e-3), film.file
        assert "Synthetic example, no patient" in page.inner_text("[data-screen=result]")
        page.get_by_role("link", name="Read another film").click()
