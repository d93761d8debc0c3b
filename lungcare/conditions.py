"""The four conditions that LungCare tells apart: code, order and colour."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """One condition.

    code: stable identifier, used in files, JSON and CSV.
    colour: hex colour for bars and pictures (Okabe & Ito 2008, told apart by colour-blind people).
    """

    code: str
    colour: str


CONDITIONS = (
    Condition("normal", "#009E73"),
    Condition("pneumonia", "#E69F00"),
    Condition("tuberculosis", "#CC79A7"),
    Condition("pneumothorax", "#0072B2"),
)
CODES = tuple(condition.code for condition in CONDITIONS)
