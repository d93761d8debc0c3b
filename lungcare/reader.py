"""Reader: bytes -> Reading. The one class that service, page and command line use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcare import influence, lungs, runtime
from lungcare.bundle import Bundle, open_bundle
from lungcare.calibration import calibrated, reweighted
from lungcare.certainty import SCORES
from lungcare.conditions import CODES
from lungcare.film import Radiograph, decode, network_input
from lungcare.gate import Gate, columns
from lungcare.margins import framings
from lungcare.reading import FilmError, Flag, Flags, Probabilities, Reading, Refusal
from lungcare.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """A film on its way to the network.

    pixels: float32 (size, size, 1), grey levels 0 to 255. corrections: codes of what the gate set right.
    """

    pixels: np.ndarray
    corrections: tuple[str, ...] = ()


class Reader:
    """Reads films with the network of one bundle. Calls from several threads are safe.

    Loading takes seconds (TensorFlow); keep the reader. Nothing of a film is kept or logged.

    ```python
    reader = Reader.open("lungcare")
    reader.read(Path("film.png").read_bytes()).finding  # "normal"
    ```
    """

    def __init__(self, bundle: Bundle, settings: Settings | None = None):
        runtime.choose()
        from lungcare.network import Network, compiled

        self.bundle = bundle
        self.settings = settings or Settings.from_environment()
        self._size = bundle.card.input.size
        self.network = Network(bundle.network, self._size)
        card = bundle.card.gate
        self.gate = Gate(card, compiled(bundle.gate, card.size, columns(card.kinds))) if card else Gate()
        self._lungs = compiled(bundle.lungs, lungs.SIDE, lungs.SIDE, lungs.SIDE, 1) if bundle.lungs else None

    @classmethod
    def open(cls, folder_or_name: str | Path, settings: Settings | None = None) -> "Reader":
        """A reader for a bundle's folder, or for the name of a bundle in models/, as `open_bundle` takes them."""
        return cls(open_bundle(folder_or_name), settings)

    @property
    def can_say_in_lungs(self) -> bool:
        """Whether readings can say how much of what the network looked at lies in the lungs."""
        return self._lungs is not None and self.network.has_influence

    @property
    def tag(self) -> str:
        """The model, as name:version."""
        return self.bundle.card.tag

    def read(self, data: bytes, language: str = "en") -> Reading | Refusal:
        """Read one film from the bytes of its file; whatever is wrong with them is a Refusal, in that language."""
        try:
            return self.judge([self.prepare(data)])[0]
        except FilmError as error:
            return self.refuse(error, language)

    def read_with_map(self, data: bytes, language: str = "en") -> tuple[Reading | Refusal, bytes | None]:
        """`read`, and where the network looked: the picture is that of `look`, and None for a refusal."""
        try:
            return self.look(data)
        except FilmError as error:
            return self.refuse(error, language), None

    def look(self, data: bytes) -> tuple[Reading, bytes | None]:
        """The reading of a film, and where the network looked: a PNG to lay over it, see `lungcare.influence.picture`.

        The reading says how much of that lies in the lungs, where the bundle has a network that finds them.
        The picture is None for a network that has no such map. Costs no second pass. Raises FilmError.
        """
        radiograph = self._radiograph(data)
        film = network_input(radiograph, self._size)
        seen = self.network.look(film[np.newaxis])
        answer = self._readings(seen.probabilities, [radiograph.corrections])[0]
        if seen.influence is None:
            return answer, None
        shares = influence.class_map(seen.influence[0], CODES.index(answer.finding))
        picture = influence.picture(shares, radiograph.height, radiograph.width)
        return answer.model_copy(update={"in_lungs": self._in_lungs(film, shares)}), picture

    def read_file(self, path: str | Path, language: str = "en") -> Reading | Refusal:
        """Read one film from its file; a file that is missing or may not be read is a Refusal too."""
        try:
            return self.judge([self.prepare_file(path)])[0]
        except FilmError as error:
            return self.refuse(error, language)

    def prepare(self, data: bytes) -> Prepared:
        """Bytes of a file -> what `judge` takes.

        Raises FilmError. With `judge` and `refuse`, for those who read many films and decode beside the network.
        """
        radiograph = self._radiograph(data)
        return Prepared(network_input(radiograph, self._size), radiograph.corrections)

    def prepare_file(self, path: str | Path) -> Prepared:
        """`prepare` for the file at `path`, of which no more is read than the largest film has."""
        try:
            with open(path, "rb") as file:
                data = file.read(self.settings.max_bytes + 1)
        except OSError as error:
            raise FilmError("unreadable_file") from error
        return self.prepare(data)

    def judge(self, films: Sequence[Prepared], in_lungs: bool = False) -> list[Reading]:
        """Read prepared films in one call of the network; the number of films changes no probability.

        in_lungs: whether to say how much of what the network looked at lies in the lungs.
        """
        seen = self.network.look(np.stack([film.pixels for film in films]))
        readings = self._readings(seen.probabilities, [film.corrections for film in films])
        if not in_lungs or seen.influence is None:
            return readings
        told = []
        for film, reading, own in zip(films, readings, seen.influence, strict=True):
            shares = influence.class_map(own, CODES.index(reading.finding))
            told.append(reading.model_copy(update={"in_lungs": self._in_lungs(film.pixels, shares)}))
        return told

    def refuse(self, error: FilmError, language: str = "en") -> Refusal:
        """The refusal for an error, in the words of a language."""
        return error.refusal(self.tag, language)

    def _radiograph(self, data: bytes) -> Radiograph:
        """A film that may be read, its longest side that of the network's square. Raises FilmError."""
        limit = self.settings.max_bytes
        if len(data) > limit:
            raise FilmError("file_too_large", megabytes=limit / 1e6)
        return self.gate.check(*framings(decode(data, self.settings.max_pixels, self._size), self._size))

    def _in_lungs(self, film: np.ndarray, shares: np.ndarray) -> float | None:
        """Share of a class map's weight in the lungs; None where nothing finds them, or there is none of either.

        film: float32 (size, size, 1), grey levels 0 to 255.
        """
        if self._lungs is None:
            return None
        found = lungs.find_lungs(self._lungs, film[np.newaxis, ..., 0])[0]
        if lungs.box_of(found) is None or not shares.any():
            return None
        return round(influence.share_inside(shares, found > 0.5), 4)

    def _readings(self, softmax: np.ndarray, corrections: Sequence[tuple[str, ...]]) -> list[Reading]:
        """Softmax of the network, float (n, 4), and what was set right -> what is said of each film."""
        even = np.clip(calibrated(softmax, self.bundle.card.calibration), 0, 1)
        prevalence = np.array(self.settings.prevalence or [1 / len(CODES)] * len(CODES))
        weighted = np.clip(reweighted(even, prevalence), 0, 1) if self.settings.prevalence else even
        findings, doubts = weighted.argmax(axis=1), self._doubts(even)
        return [
            Reading(
                finding=CODES[finding],
                probabilities=_by_condition(row),
                prevalence=_by_condition(prevalence),
                # A finding that only the prevalence makes is none that was measured to be certain.
                uncertain=None if doubts is None else bool(doubts[film] or finding != even[film].argmax()),
                flags=self._flags(even[film]),
                corrections=corrections[film],
                model=self.tag,
            )
            for film, (row, finding) in enumerate(zip(weighted, findings, strict=True))
        ]

    def _doubts(self, even: np.ndarray) -> np.ndarray | None:
        """Whether each film is uncertain, bool (n,); None where the model has no rule for it."""
        decisions = self.bundle.card.decisions
        return decisions and SCORES[decisions.certainty.score](even) < decisions.certainty.least

    def _flags(self, even: np.ndarray) -> Flags | None:
        """The operating points that one film's probabilities, float (4,), reach; None where the model has none."""
        if self.bundle.card.decisions is None:
            return None
        points = self.bundle.card.decisions.points
        return Flags(
            **{
                code: Flag(
                    screening=share >= points[code].screening.threshold,
                    balanced=share >= points[code].balanced.threshold,
                )
                for code, share in zip(CODES, even, strict=True)
            }
        )


def _by_condition(row: np.ndarray) -> Probabilities:
    return Probabilities(**dict(zip(CODES, row.tolist(), strict=True)))
