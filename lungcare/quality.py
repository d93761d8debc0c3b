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
    """What a card says; None, or empty, where it was not measured.

    inside: balanced accuracy on test films. elsewhere: external collections, the largest first. certain, uncertain:
    accuracy of test films by whether the reading was certain. coverage: share of them that were. pointing: share of
    test films with pneumothorax in which the class map points at it. chance: the same for a point drawn at random;
    centre: for the middle of a lung.
    """

    inside: Measure | None
    elsewhere: tuple[Measure, ...]
    certain: Measure | None = None
    uncertain: Measure | None = None
    coverage: Measure | None = None
    pointing: Measure | None = None
    chance: Measure | None = None
    centre: Measure | None = None

    def outside(self, condition: str) -> Measure | None:
        """The largest external collection of films with a condition; None where there is none."""
        return next((measure for measure in self.elsewhere if measure.condition == condition), None)


def quality(card: Card) -> Quality:
    """The figures of a card that the page names, as far as the card has them."""
    external = card.metrics.get("external", {}).get("by_source", {})
    measures = [
        Measure(entry["accuracy"]["value"], entry["accuracy"]["films"], *name.split("/", 1))
        for name, entry in external.items()
        if "accuracy" in entry and name.split("/", 1)[0] in CODES
    ]
    test = card.metrics.get("test", {})
    certainty, influence = test.get("certainty", {}), test.get("influence", {})
    return Quality(
        inside=_measure(test.get("balanced_accuracy")),
        elsewhere=tuple(sorted(measures, key=lambda measure: -measure.films)),
        certain=_measure(certainty.get("certain")),
        uncertain=_measure(certainty.get("uncertain")),
        coverage=_measure(certainty.get("coverage")),
        pointing=_measure(influence.get("pointing")),
        chance=_measure(influence.get("random")),
        centre=_measure(influence.get("lung_centres")),
    )


def _measure(figure: dict | None) -> Measure | None:
    return Measure(figure["value"], figure["films"]) if figure else None
