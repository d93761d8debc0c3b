"""Reader: bytes -> Reading. The one class that service, page and command line use."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungcare import gate
from lungcare.bundle import Bundle, open_bundle
from lungcare.calibration import calibrated
from lungcare.conditions import CODES
from lungcare.film import decode, network_input
from lungcare.reading import FilmError, Probabilities, Reading, Refusal
from lungcare.settings import Settings
from lungcare.words import say


class Reader:
    """Reads films with the network of one bundle. Calls from several threads are safe.

    Loading takes seconds (TensorFlow); keep the reader. Nothing of a film is kept or logged.

    ```python
    reader = Reader.open("lungcare")
    reader.read(Path("film.png").read_bytes()).finding  # "normal"
    ```
    """

    def __init__(self, bundle: Bundle, settings: Settings | None = None):
        from lungcare.network import Network

        self.bundle = bundle
        self.settings = settings or Settings.from_environment()
        self._size = bundle.card.input.size
        self._network = Network(bundle.network, self._size)

    @classmethod
    def open(cls, folder_or_name: str | Path, settings: Settings | None = None) -> "Reader":
        """A reader for a bundle's folder, or for the name of a bundle in models/, as `open_bundle` takes them."""
        return cls(open_bundle(folder_or_name), settings)

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

    def read_file(self, path: str | Path, language: str = "en") -> Reading | Refusal:
        """Read one film from its file; a file that is missing or may not be read is a Refusal too."""
        try:
            return self.judge([self.prepare_file(path)])[0]
        except FilmError as error:
            return self.refuse(error, language)

    def prepare(self, data: bytes) -> np.ndarray:
        """Bytes of a file -> what the network takes: float32 (size, size, 1), grey levels 0 to 255.

        Raises FilmError. With `judge` and `refuse`, for those who read many films and decode beside the network.
        """
        limit = self.settings.max_bytes
        if len(data) > limit:
            raise FilmError("file_too_large", megabytes=f"{limit / 1e6:g}")
        radiograph = decode(data, self.settings.max_pixels)
        gate.check(radiograph)
        return network_input(radiograph, self._size)

    def prepare_file(self, path: str | Path) -> np.ndarray:
        """`prepare` for the file at `path`, of which no more is read than the largest film has."""
        try:
            with open(path, "rb") as file:
                data = file.read(self.settings.max_bytes + 1)
        except OSError as error:
            raise FilmError("unreadable_file") from error
        return self.prepare(data)

    def judge(self, films: Sequence[np.ndarray]) -> list[Reading]:
        """Read prepared films in one call of the network; the number of films changes no probability."""
        softmax = self._network(np.stack(films))
        rows = np.clip(calibrated(softmax, self.bundle.card.calibration.temperature), 0, 1)
        return [
            Reading(
                finding=CODES[row.argmax()],
                probabilities=Probabilities(**dict(zip(CODES, row.tolist(), strict=True))),
                model=self.tag,
            )
            for row in rows
        ]

    def refuse(self, error: FilmError, language: str = "en") -> Refusal:
        """The refusal for an error, in the words of a language."""
        return Refusal(
            code=error.code,
            message=say(f"refusal.{error.code}.message", language, **error.values),
            advice=say(f"refusal.{error.code}.advice", language, **error.values),
            model=self.tag,
        )
