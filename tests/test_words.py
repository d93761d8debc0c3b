import re
import string

import pytest

from lungcare.conditions import CODES
from lungcare.reading import STATUS_BY_CODE
from lungcare.words import LANGUAGES, say, sentences


def places(sentence: str) -> list[str]:
    """The names of the values that a sentence wants."""
    return sorted({name for _, name, _, _ in string.Formatter().parse(sentence) if name})


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_every_sentence(language):
    english, other = sentences("en"), sentences(language)
    assert list(english) == list(other)
    assert {code: places(text) for code, text in english.items()} == {
        code: places(text) for code, text in other.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_filled(language):
    for code, sentence in sentences(language).items():
        assert sentence.strip() == sentence != "", code
        assert not re.search(r"TODO|\?\?", sentence), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_sentences(language):
    wanted = [f"refusal.{code}.{part}" for code in STATUS_BY_CODE for part in ("message", "advice")]
    wanted += [f"condition.{code}" for code in CODES] + ["notice"]
    assert not set(wanted) - set(sentences(language))
    assert all(re.search(r"[.]$", sentences(language)[code]) for code in wanted if code.startswith("refusal"))


def test_say():
    assert say("refusal.several_images.message", count=3) == "The file holds 3 images."
    assert say("condition.tuberculosis", "id") == "Tuberkulosis"


def test_what_cannot_be_said():
    with pytest.raises(ValueError, match="language"):
        say("notice", "xx")
    with pytest.raises(KeyError):
        say("no.such.code")
    with pytest.raises(KeyError):
        say("refusal.too_small.message")
