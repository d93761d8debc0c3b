"""Every measured figure that a reader meets stands in a card or in docs/results: nothing is typed by hand."""

import json
import re
from html import unescape

import pytest

from lungcare import screens
from lungcare.bundle import MODELS, Bundle, Card
from lungcare.settings import Settings
from tests.conftest import ROOT
from train.document import BEGIN, END
from train.model_card import model_card, read_audits

# 95 % intervals; screening's sensitivity and the WHO's target; a quarter is chance.
SAID_BY_NATURE = {"95", "0.90", "0.70", "0.25"}


def numbers(value: object) -> set[float]:
    """All numbers in a table of JSON."""
    if isinstance(value, dict):
        return set().union(*map(numbers, value.values()), set())
    if isinstance(value, list):
        return set().union(*map(numbers, value), set())
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every number of cards and results, as it may be written: with two to four digits, or as a percentage."""
    paths = [*MODELS.glob("*/card.json"), *(ROOT / "docs" / "results").glob("*.json")]
    found = set().union(*(numbers(json.loads(path.read_text())) for path in paths))
    shares = {number for number in found if 0 <= number <= 1}
    forms = {f"{number:.{digits}f}" for number in found for digits in (2, 3, 4)}
    forms |= {f"{100 * share:.{digits}f}" for share in shares for digits in (0, 1)}
    return forms | {f"{100 * (1 - share):.0f}" for share in shares} | SAID_BY_NATURE


def figures(text: str) -> set[str]:
    """Decimals and percentages in a text; versions of programs and whole numbers are none."""
    decimals = re.findall(r"(?<![\d.v])[0-2]\.\d{2,4}(?![\d.])", text)
    return {*decimals, *re.findall(r"(\d+(?:\.\d+)?) ?%", text)}


def without_code(markdown: str) -> str:
    return re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/MODEL_CARD.md"])
def test_figures_of_the_documents(known, name):
    found = figures(without_code((ROOT / name).read_text(encoding="utf-8")))
    assert found
    assert not found - known


@pytest.mark.parametrize("name", sorted(path.parent.name for path in MODELS.glob("*/card.json")))
def test_figures_of_the_page(known, name):
    card = Bundle(MODELS / name).card
    shown = screens.page(card, [], Settings()) + screens.model_page(card)
    text = re.sub(r"<(style|script|pre).*?</\1>|<[^>]*>", " ", shown, flags=re.DOTALL)
    found = figures(unescape(text).replace("\xa0", " "))
    assert found
    assert not found - known


# Where every figure of a card and of its audits is changed to this one, nothing else may be said.
ANYTHING = 0.4321
SAID_OF_IT = {"0.43", "0.432", "0.4321", "43", "43.2", "57"}


def with_one_figure(value: object) -> object:
    """A table of JSON with every share replaced by the same one; counts and words stay."""
    if isinstance(value, dict):
        return {name: with_one_figure(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [with_one_figure(each) for each in value]
    return ANYTHING if isinstance(value, float) else value


@pytest.fixture(params=sorted(path.parent.name for path in MODELS.glob("*/card.json")))
def changed(request) -> Card:
    """A published card of which every figure is another one."""
    card = Bundle(MODELS / request.param).card
    told = card.model_dump()
    parts = ("calibration", "decisions", "lungs", "training", "metrics")
    return Card.model_validate(told | {part: with_one_figure(told[part]) for part in parts})


def test_no_figure_of_the_page_stands_in_the_code(changed):
    shown = screens.page(changed, [], Settings()) + screens.model_page(changed)
    text = re.sub(r"<(style|script|pre).*?</\1>|<[^>]*>", " ", shown, flags=re.DOTALL)
    found = figures(unescape(text).replace("\xa0", " "))
    assert found & SAID_OF_IT
    assert not found - SAID_OF_IT - SAID_BY_NATURE


def test_no_figure_of_the_model_card_stands_in_the_code(changed):
    audits = [with_one_figure(audit) for audit in read_audits(ROOT / "docs" / "results")]
    found = figures(without_code(model_card(changed, audits)))
    assert found & SAID_OF_IT
    assert not found - SAID_OF_IT - SAID_BY_NATURE - {"0.00", "0.96"}


def test_the_readme_says_no_figure_beside_those_of_the_cards():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    beside = re.sub(f"{BEGIN}.*?{END}", "", text, flags=re.DOTALL)
    assert not figures(without_code(beside))


def test_a_figure_that_was_typed_is_found(known):
    typed = next(f"2.{number}" for number in range(1000, 10_000) if f"2.{number}" not in known)
    assert figures(f"It reads {typed} or 312.34 % rightly.") - known == {typed, "312.34"}
