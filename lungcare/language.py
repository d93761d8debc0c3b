"""Accept-Language -> one of the languages that LungCare speaks."""

from lungcare.words import LANGUAGES


def preferred(accept: str | None) -> str:
    """The first of our languages in the order that a browser asks for; English when it asks for none of them.

    accept: value of the Accept-Language header, such as "id-ID,id;q=0.9,en;q=0.8".

    ```python
    preferred("id-ID,id;q=0.9")  # "id"
    ```
    """
    wishes = []
    for position, part in enumerate((accept or "").split(",")):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        qualities = [piece[2:] for piece in parameters if piece.lower().startswith("q=")]
        try:
            weight = float(qualities[0]) if qualities else 1.0
        except ValueError:
            continue
        wishes.append((-weight, position, tag.partition("-")[0].lower()))
    return next((code for weight, _, code in sorted(wishes) if code in LANGUAGES and weight < 0), LANGUAGES[0])
