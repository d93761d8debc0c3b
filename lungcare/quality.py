"""A card -> the figures that the page names: how the model does inside and outside what it learned from."""

from dataclasses import dataclass

from lungcare.bundle import Card
from lungcare.conditions import CODES


@dataclass(frozen=True)
class Measure:
    """One measured share of 1. condition and source: what the films have and where they are from, where it is one."""

    value: float
    films: int
    condition: str = ""
    source: str = ""


@dataclass(frozen=True)
class Quality:
    """inside: balanced accuracy on test films, None where it was not measured. elsewhere: external collections, the
    largest first."""

    inside: Measure | None
    elsewhere: tuple[Measure, ...]

    def outside(self, condition: str = "") -> Measure | None:
        """The largest external collection of films with a condition; of any, where there is none of that one."""
        wanted = [measure for measure in self.elsewhere if measure.condition == condition]
        return next(iter([*wanted, *self.elsewhere]), None)


def quality(card: Card) -> Quality:
    """The figures of a card that the page names, as far as the card has them."""
    external = card.metrics.get("external", {}).get("by_source", {})
    measures = [
        Measure(entry["accuracy"]["value"], entry["accuracy"]["films"], *name.split("/", 1))
        for name, entry in external.items()
        if "accuracy" in entry and name.split("/", 1)[0] in CODES
    ]
    inside = card.metrics.get("test", {}).get("balanced_accuracy")
    return Quality(
        inside=Measure(inside["value"], inside["films"]) if inside else None,
        elsewhere=tuple(sorted(measures, key=lambda measure: -measure.films)),
    )
