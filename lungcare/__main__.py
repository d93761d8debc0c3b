"""The command line. TensorFlow is loaded only by the commands that read films."""

import argparse
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lungcare import __version__
from lungcare.conditions import CODES
from lungcare.words import LANGUAGES, decimal, say

READ, REFUSED, FAILED, INTERRUPTED, CLOSED = 0, 1, 2, 130, 141
# What TensorFlow's C++ says at every import, whatever its log level.
_CHATTER = (b"before absl::InitializeLog()", b"oneDNN custom operations are on")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 all read, 1 some refused, 2 it could not begin or go on.

    130: it was interrupted; 141: nobody reads any more what it prints, as with `| head -1`.
    """
    _prepare_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        print(_version())
        return READ
    if options.command is None:
        parser.error("say what to do: classify, batch, selfcheck, drift, store, settings or key")
    from lungcare.batch import BatchError
    from lungcare.bundle import BundleError
    from lungcare.drift import DriftError
    from lungcare.settings import SettingsError

    try:
        status = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except (BatchError, BundleError, DriftError, SettingsError) as error:
        print(f"lungcare: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # What could not be written would be tried again, and complained of, at the end of Python.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except OSError as error:
        print(f"lungcare: {error.filename or 'the disk'}: {error.strerror}.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("lungcare: stopped.", file=sys.stderr)
        return INTERRUPTED


def _prepare_streams() -> None:
    """Make names that are not UTF-8 be printed as the bytes that they are, and a closed standard error lead nowhere.

    Left closed, its number would go to the next file that is opened, and into that what is written to it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 it stays open


def _parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m lungcare", description="How likely four conditions are on a frontal chest film. No diagnosis."
    )
    parser.add_argument("--version", action="store_true", help="say the version of the library and of the model")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], description: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=description, description=description)
        sub.set_defaults(run=run)
        return sub

    def command_of_model(
        name: str, run: Callable[[argparse.Namespace], int], description: str
    ) -> argparse.ArgumentParser:
        sub = command(name, run, description)
        sub.add_argument("--model", metavar="NAME", help="bundle in models/, or the path of one (LUNGCARE_MODEL)")
        return sub

    classify = command_of_model("classify", _classify, "read films and print what they show")
    classify.add_argument("films", nargs="+", metavar="FILE", help="DICOM, PNG, JPEG, WebP, TIFF or BMP")
    classify.add_argument("--json", action="store_true", help="print one JSON object a line instead of a table")
    classify.add_argument("--language", choices=LANGUAGES, default="en", help="language of the sentences")

    batch = command_of_model(
        "batch", _batch, "read all films of a folder into a CSV table; goes on where it was stopped"
    )
    batch.add_argument("folder", metavar="FOLDER", help="searched in depth")
    batch.add_argument("--output", metavar="OUT.csv", required=True, help="the table")
    batch.add_argument("--in-lungs", action="store_true", help="say how much of what spoke for it lies in the lungs")
    batch.add_argument("--restart", action="store_true", help="begin a new table, whatever the old one holds")

    command_of_model("selfcheck", _selfcheck, "say whether this installation reads as the model did when published")

    store = command_of_model("store", _store, "put a bundle into the BentoML model store and print its tag")
    store.add_argument("--replace", action="store_true", help="put it in anew, even if the store has this tag")

    drift = command(
        "drift", _drift, "say whether films that were read differ from those that the model was measured on"
    )
    drift.add_argument("--reference", metavar="CARD.json", required=True, type=Path, help="card of the model")
    drift.add_argument("table", metavar="OUT.csv", type=Path, help="table that `batch` wrote")

    command("settings", _settings, "print every variable of the environment that is a setting")
    command("key", _key, "make an API key, and print what to write into the settings for it")
    return parser


def _classify(options: argparse.Namespace) -> int:
    """Read the films one after the other and print each at once."""
    reader = _reader(options.model)
    language = options.language
    width = max(len(name) for name in (*options.films, say("table.file", language)))
    if not options.json:
        print(_heading(width, language))
    status = READ
    for name in options.films:
        result = reader.read_file(name, language)
        if result.outcome == "refused":
            status = REFUSED
        if options.json:
            print(json.dumps({"file": name, **result.model_dump()}, ensure_ascii=False), flush=True)
        else:
            print(_line(name.ljust(width), result, language), flush=True)
    if not options.json:
        print(f"\n{say('notice', language)} ({reader.tag})")
    return status


def _batch(options: argparse.Namespace) -> int:
    """Read the folder and say how many films were read."""
    from lungcare.batch import read_folder

    reader = _reader(options.model)
    tally = read_folder(reader, options.folder, options.output, options.restart, options.in_lungs)
    print(f"{options.output}: {tally['read']} read, {tally['refused']} refused.")
    return REFUSED if tally["refused"] else READ


def _selfcheck(options: argparse.Namespace) -> int:
    """Print the examples stage by stage and the verdict. Returns 1 when anything differs."""
    from lungcare.bundle import BundleError

    try:
        reader = _reader(options.model)
    except BundleError as error:
        print(f"the stage checksums fails: {error}")
        return REFUSED
    from lungcare.selfcheck import selfcheck

    verdict = selfcheck(reader)
    if verdict.is_checked:
        print(verdict.table())
    print(verdict.sentence())
    return READ if verdict.stage is None else REFUSED


def _store(options: argparse.Namespace) -> int:
    """Import the bundle and print its tag."""
    from lungcare.store import import_bundle

    print(import_bundle(_bundle(options.model), options.replace))
    return READ


def _drift(options: argparse.Namespace) -> int:
    """Print what moved. Returns 1 when something did."""
    from lungcare.drift import compare

    found = compare(options.reference, options.table)
    print(f"{found.model}: {found.films} films read, {found.refused:.1%} not read; reference: {found.reference_films}.")
    print(f"{'':<14}{'index':>7}{'by chance':>11}{'mean':>8}{'reference':>11}")
    for change in found.changes:
        told = "moved" if change.has_moved else ""
        print(
            f"{change.condition:<14}{change.index:>7.3f}{change.chance:>11.3f}"
            f"{change.mean:>8.3f}{change.reference_mean:>11.3f}  {told}".rstrip()
        )
    return REFUSED if any(change.has_moved for change in found.changes) else READ


def _settings(_: argparse.Namespace) -> int:
    """Print the table of settings."""
    from lungcare.settings import table

    print(table())
    return READ


def _key(_: argparse.Namespace) -> int:
    """Print a new key, and its entry for LUNGCARE_API_KEYS."""
    from lungcare.keys import new_key

    key, entry = new_key()
    print(f"key, for the program that calls: {key}\nentry, for LUNGCARE_API_KEYS:    {entry}")
    return READ


def _version() -> str:
    """The versions of the library and of the model, if there is one."""
    from lungcare.bundle import BundleError
    from lungcare.settings import SettingsError

    try:
        model = _bundle(None).card.tag
    except (BundleError, SettingsError) as error:
        model = f"none: {error}"
    return f"lungcare {__version__}\nmodel {model}"


def _bundle(name: str | None):
    """The bundle of that name or path, else that of the settings."""
    from lungcare.bundle import open_bundle
    from lungcare.settings import Settings

    return open_bundle(name or Settings.from_environment().model)


def _reader(name: str | None):
    """A reader for the bundle of that name or path, else that of the settings."""
    bundle = _bundle(name)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _without_chatter():
        from lungcare.reader import Reader

        return Reader(bundle)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and pass on what is not TensorFlow's chatter."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not any(chatter in line for chatter in _CHATTER):
                    os.write(2, line)


def _heading(width: int, language: str) -> str:
    """First line of the table: a column for the file, one for the finding, one for each condition."""
    conditions = [say(f"condition.{code}", language) for code in CODES]
    finding = say("table.finding", language).ljust(max(map(len, conditions)))
    return "  ".join([say("table.file", language).ljust(width), finding, *conditions])


def _line(name: str, result, language: str) -> str:
    """One line of the table: a reading, or why there is none."""
    if result.outcome == "refused":
        return f"{name}  {say('table.refused', language)} {result.message} {result.advice}"
    conditions = {code: say(f"condition.{code}", language) for code in CODES}
    finding = conditions[result.finding].ljust(max(map(len, conditions.values())))
    shares = [_share(getattr(result.probabilities, code), language).rjust(len(conditions[code])) for code in CODES]
    doubt = [say("several.uncertain", language)] if result.uncertain else []
    return "  ".join([name, finding, *shares, *doubt])


def _share(probability: float, language: str) -> str:
    """A probability in percent, with the decimal sign of the language."""
    return decimal(f"{probability:.1%}", language)


if __name__ == "__main__":
    sys.exit(main())
