"""Bundle -> BentoML model store, from which the service takes its model."""

import os
import shlex
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

# Before BentoML is imported: it would report each import to its makers.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore

from lungcare.bundle import Bundle, BundleError

LABELS = {"project": "lungcare", "framework": "keras"}
_STAGING = ".lungcare-"
_STALE = 3600


class StoreError(BundleError):
    """The model store holds something else than the bundle, or holds it incomplete; says what to do."""


class StoredModel(bentoml.models.BentoModel):
    """A model of the store, for a service: whole, or the service ends with the sentence that says what to do.

    BentoML itself would look for a missing one in a cloud, and never at checksums.
    """

    def resolve(self, base_path: str | Path | None = None) -> bentoml.Model:
        """The model in the store; a copy of it goes to `base_path` where one is named."""
        stored = self.stored
        try:
            if stored is None:
                raise _missing(str(self.tag))
            _whole(str(self.tag), stored.path)
        except StoreError as error:
            raise SystemExit(f"lungcare: {error}") from error
        return super().resolve(base_path)


def import_bundle(bundle: Bundle, replace: bool = False) -> str:
    """Put a bundle into the store as name:version, unless it is there already. Returns the tag.

    The entry is whole or absent, also when this is killed: it is built beside the store and moved in at once.
    replace: put it in anew, whatever the store holds under this tag.
    Raises StoreError when the store holds this tag with another checksum, or damaged, or cannot be written to.
    """
    entry = _entry(bundle.card.tag)
    if entry.exists() and not replace:
        _check_same(bundle)
        return bundle.card.tag
    try:
        _put(bundle, entry)
    except OSError as error:
        raise StoreError(f"The model store in {entry.parent.parent} cannot be written to: {_reason(error)}.") from error
    return bundle.card.tag


def _put(bundle: Bundle, entry: Path) -> None:
    """Make the entry, in place of the one that is there."""
    with _staging() as staging:
        built = _build(bundle, staging)
        entry.parent.mkdir(parents=True, exist_ok=True)
        if entry.exists():
            entry.rename(staging / "replaced")
        # BentoML finds the latest version anew when this file is not there.
        (entry.parent / "latest").unlink(missing_ok=True)
        try:
            built.rename(entry)
        except OSError:
            # Somebody else was quicker, or the store cannot be written.
            if not entry.exists():
                raise
            _check_same(bundle)


def _reason(error: OSError) -> str:
    """What the system said. Of several files, as BentoML copies them, what it said of the first."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][2]).partition("] ")[2].partition(":")[0]
    return error.strerror or str(error)


def check_free(bundle: Bundle) -> None:
    """Raise StoreError when the store holds another model under the bundle's tag, or the same one damaged."""
    if _entry(bundle.card.tag).exists():
        _check_same(bundle)


def stored_bundle(tag: str) -> Bundle:
    """The bundle in the store under name:version. Raises StoreError when it is not there or damaged."""
    entry = _entry(tag)
    if not entry.exists():
        raise _missing(tag)
    return _whole(tag, entry)


def _missing(tag: str) -> StoreError:
    return StoreError(f"The model store has no {tag}. Put it in: {_command(tag)}")


def _whole(tag: str, entry: str | Path) -> Bundle:
    """The bundle in an entry of the store. Raises StoreError when it is damaged."""
    try:
        bentoml.models.get(tag)
        return Bundle(entry)
    except Exception as error:  # BentoML raises many things on a damaged model.yaml
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise StoreError(
            f"{tag} in the model store is damaged: {reason}. Put it in anew: {_command(tag)} --replace"
        ) from error


def _check_same(bundle: Bundle) -> None:
    """Raise StoreError unless the store holds this bundle, whole."""
    tag = bundle.card.tag
    if stored_bundle(tag).checksum != bundle.checksum:
        raise StoreError(
            f"The model store holds another model as {tag}. Give the new one a new version, "
            f"or replace the old one: {_command(tag)} --replace"
        )


def _build(bundle: Bundle, folder: Path) -> Path:
    """Build the entry in a store of its own in `folder`; returns where it lies."""
    card = bundle.card
    metadata = {
        "checksum": bundle.checksum,
        "description": card.description,
        "conditions": list(card.conditions),
        "input_size": card.input.size,
        # Single numbers; the tables are in the card, which is in the entry too.
        "metrics": {name: value for name, value in card.metrics.items() if isinstance(value, int | float | str)},
    }
    store = ModelStore(folder)
    with bentoml.models.create(card.tag, labels=LABELS, metadata=metadata, _model_store=store) as model:
        for name in bundle.names:
            target = Path(model.path_of(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.folder / name, target)
    return folder / card.name / card.version


@contextmanager
def _staging():
    """A folder on the disk of the store, removed afterwards; those of killed imports are removed too."""
    home = Path(BentoMLContainer.model_store_dir.get()).parent
    for left in home.glob(f"{_STAGING}*"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=home, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _entry(tag: str) -> Path:
    """Where the store keeps name:version."""
    name, version = tag.split(":")
    return Path(BentoMLContainer.model_store_dir.get()) / name / version


def _command(tag: str) -> str:
    """What puts a bundle into the store that is in use."""
    home = os.environ.get("BENTOML_HOME")
    store = f"BENTOML_HOME={shlex.quote(home)} " if home else ""
    return f"{store}python -m lungcare store --model {tag.split(':')[0]}"
