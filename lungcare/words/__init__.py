"""Every sentence that a person reads, by code and language: en.json and id.json hold the same codes."""

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "id")


def say(code: str, language: str = "en", **values: object) -> str:
    """The sentence for a code, with the values that it names filled in; of a float, six digits at most.

    Raises ValueError for a language that we do not speak, KeyError for a code or a value that is missing.

    ```python
    say("refusal.too_small.message", "en", width=20, height=30, limit=64)
    ```
    """
    floats = {name: decimal(f"{value:g}", language) for name, value in values.items() if isinstance(value, float)}
    return sentences(language)[code].format(**values | floats)


def decimal(number: str, language: str) -> str:
    """A number that was written with a decimal point, with the decimal mark of a language."""
    return number.replace(".", sentences(language)["table.decimal"])


@cache
def sentences(language: str) -> dict[str, str]:
    """All sentences of a language by their code, with {names} where values go. Do not change the table."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {LANGUAGES}. Received: {language!r}")
    return json.loads((Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8"))
