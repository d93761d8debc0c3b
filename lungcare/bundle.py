"""models/<name>/: a network and its card, checked. The only reader of card.json."""

import hashlib
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lungcare.conditions import CODES

CARD = "card.json"
NETWORK = "model.keras"
MODELS = Path(__file__).resolve().parent.parent / "models"


class BundleError(RuntimeError):
    """A bundle that is missing, incomplete or changed."""


class FileRecord(BaseModel):
    """Size and checksum of one file of the bundle."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Input(BaseModel):
    """What the network takes: float32 (films, size, size, 1), grey levels 0 to 255."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(gt=0, description="Side of the square, in pixels.")
    preprocessing: str = Field(description="How a film becomes the square, in words.")


class Card(BaseModel):
    """What belongs to a trained model and is not its weights.

    `training`, `data` and `metrics` are free tables: what they hold follows from the training code that wrote them.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str
    conditions: tuple[str, ...]
    input: Input
    training: dict
    data: dict
    metrics: dict
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _conditions_are_ours(self) -> "Card":
        if self.conditions != CODES:
            raise ValueError(f"the conditions must be {CODES}. Received: {self.conditions}")
        return self

    @property
    def tag(self) -> str:
        """name:version, as in the model store."""
        return f"{self.name}:{self.version}"


class Bundle:
    """A folder with card.json and the files that it lists.

    Raises BundleError when the card is missing or wrong, or a file is missing or has another checksum.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        path = self.folder / CARD
        try:
            self.card = Card.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise BundleError(f"{self.folder} is no model bundle: it has no {CARD}.") from error
        except ValidationError as error:
            raise BundleError(f"{path} is damaged: {error}") from error
        for name, record in self.card.files.items():
            _check(self.folder / name, record)

    @property
    def network(self) -> Path:
        """The Keras file."""
        return self.folder / NETWORK

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the card, which lists the checksums of all other files."""
        return record_of(self.folder / CARD).sha256


def record_of(path: Path) -> FileRecord:
    """Size and SHA-256 of a file."""
    data = path.read_bytes()
    return FileRecord(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _check(path: Path, record: FileRecord) -> None:
    if not path.is_file():
        raise BundleError(f"{path} is missing, though the card lists it.")
    if record_of(path) != record:
        raise BundleError(f"{path} is damaged: its checksum is not that of the card.")
