import re
import string
from pathlib import Path

import pytest

from lungcare.conditions import CODES
from lungcare.language import preferred
from lungcare.reading import STATUS_BY_CODE
from lungcare.words import LANGUAGES, say, sentences

ROOT = Path(__file__).resolve().parent.parent


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


def test_every_sentence_of_the_page_is_used():
    """A code stands in the source, whole or as a pattern that is filled in."""
    source = "".join(path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.py"), *ROOT.glob("lungcare/**/*.py")))
    patterns = [
        re.escape(found).replace(r"\{", "{") for found in re.findall(r'f["\']([a-z.]+\.\{[^"\']+)["\']', source)
    ]
    patterns = [re.sub(r"\{[^}]*\}", r"[\\w]+", pattern) for pattern in patterns]
    unused = [
        code
        for code in sentences("en")
        if f'"{code}"' not in source
        and f"'{code}'" not in source
        and not any(re.fullmatch(pattern, code) for pattern in patterns)
    ]
    assert not unused


def test_no_sentence_stands_in_the_code_of_the_page():
    for path in [ROOT / "gradio_app.py", ROOT / "lungcare" / "screens.py", ROOT / "lungcare" / "markup.py"]:
        strings = re.findall(r">([^<>{}\"']*[a-z]{3,} [a-z]{3,}[^<>{}\"']*)<", path.read_text(encoding="utf-8"))
        assert not strings, path.name
    script = (ROOT / "lungcare" / "pages" / "page.js").read_text(encoding="utf-8")
    strings = re.findall(r'["`]([A-Z][a-z]+ [a-z]+[^"`]*)["`]', script)
    assert not strings


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


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("id; q=0.9", "id"),
        ("en;q=0.2, id ;q=0.3", "id"),
        ("id;q=0", "en"),
        ("id;q=much", "en"),
        ("fr", "en"),
        (None, "en"),
    ],
)
def test_the_language_is_the_one_most_wished_for(accept, language):
    assert preferred(accept) == language


def test_a_number_has_the_decimal_mark_of_its_language():
    told = {language: say("refusal.too_many_pixels.message", language, megapixels=14.4) for language in LANGUAGES}
    assert "14.4" in told["en"]
    assert "14,4" in told["id"]
    assert "50 MB" in say("refusal.file_too_large.message", "id", megabytes=50.0)
