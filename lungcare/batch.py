"""A folder of films -> a CSV table with one row for each file, resumable."""

import csv
import io
import os
import shlex
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from lungcare.bundle import MODELS
from lungcare.conditions import CODES
from lungcare.cores import cores
from lungcare.reader import Reader
from lungcare.reading import FilmError, Reading, Refusal

COLUMNS = (
    *("file", "outcome", "code", "finding", "uncertain", *CODES, "screening", "balanced", "corrections"),
    *("in_lungs", "prevalence", "model"),
)
FILMS = 8

# Names that are not UTF-8 come back as the bytes that they were.
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class BatchError(RuntimeError):
    """The table cannot be begun or gone on with; says what to do."""


def read_folder(
    reader: Reader, folder: str | Path, output: str | Path, restart: bool = False, in_lungs: bool = False
) -> Counter:
    """Read every file of a folder into a CSV table with COLUMNS. Returns how many rows are read and refused.

    The folder is searched in depth; hidden files and the table itself are left out. A file that cannot be read is
    a row with its code. Rows are written as they come, in the order of the names: called again after it was stopped
    or killed, it goes on where it was.
    restart: begin a new table where there is one. in_lungs: fill the column of that name too.
    Raises BatchError when there is no such folder, or the table is another model's, none of ours or has no in_lungs.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise BatchError(f"There is no folder {folder}.")
    if not output.parent.is_dir():
        raise BatchError(f"There is no folder {output.parent} to write {output.name} into.")
    command = _restart_command(reader, folder, output, in_lungs)
    outcomes = _resume(output, reader.tag, restart, command, in_lungs and reader.can_say_in_lungs)
    own = os.path.realpath(output)
    names = [name for name in _names(folder) if os.path.realpath(folder / name) != own]
    todo = [name for name in names if name not in outcomes]
    tally = Counter(outcomes.values())
    with (
        open(output, "a", **_TEXT) as file,
        tqdm(total=len(names), initial=len(names) - len(todo), unit="film", disable=None) as progress,
    ):
        if not outcomes:
            file.truncate(0)
            file.write(_line(COLUMNS))
        for rows in _rows(reader, folder, todo, in_lungs):
            file.writelines(map(_line, rows))
            file.flush()
            tally.update(row[1] for row in rows)
            progress.update(len(rows))
    return tally


def _rows(reader: Reader, folder: Path, names: list[str], in_lungs: bool) -> Iterator[list[tuple]]:
    """Rows in the order of the names, a few at a time: each thread decodes and reads a group of films by itself.

    Two threads for each core: one at a time has Python, so that one each would leave the cores idle at times.
    """
    workers = 2 * cores()
    pool = ThreadPoolExecutor(max_workers=workers)
    waiting: deque[Future] = deque()
    try:
        for first in range(0, len(names), FILMS):
            waiting.append(pool.submit(_judged, reader, folder, names[first : first + FILMS], in_lungs))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _judged(reader: Reader, folder: Path, names: list[str], in_lungs: bool) -> list[tuple]:
    """The rows of one group of films, read in one call of the network."""
    results: dict[str, Reading | Refusal] = {}
    films = {}
    for name in names:
        try:
            films[name] = reader.prepare_file(folder / name)
        except FilmError as error:
            results[name] = reader.refuse(error)
    if films:
        results.update(zip(films, reader.judge(list(films.values()), in_lungs), strict=True))
    return [table_row(name, results[name]) for name in names]


def table_row(name: str, result: Reading | Refusal) -> tuple:
    """One row of the table, in the order of COLUMNS.

    uncertain: true or false, empty where the model has no rule. screening, balanced: the conditions flagged, a space
    between them. corrections: what was set right, likewise. in_lungs: empty where it was not asked for. prevalence:
    that the probabilities count on, in the order of the conditions, likewise.
    """
    if result.outcome == "refused":
        return (name, result.outcome, result.code, *[""] * (len(COLUMNS) - 4), result.model)
    uncertain = "" if result.uncertain is None else str(result.uncertain).lower()
    numbers = [f"{getattr(result.probabilities, code):.8f}" for code in CODES]
    flagged = [" ".join(result.flagged(point)) for point in ("screening", "balanced")]
    corrections = " ".join(result.corrections)
    in_lungs = "" if result.in_lungs is None else f"{result.in_lungs:.4f}"
    prevalence = " ".join(f"{getattr(result.prevalence, code):.8g}" for code in CODES)
    last = (corrections, in_lungs, prevalence, result.model)
    return (name, result.outcome, "", result.finding, uncertain, *numbers, *flagged, *last)


def _line(row: tuple) -> str:
    """A row as a line of CSV that ends with a line feed alone."""
    text = io.StringIO()
    # Written with both characters that end lines, so that names which have one of them are quoted.
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _resume(output: Path, tag: str, restart: bool, command: str, in_lungs: bool) -> dict[str, str]:
    """Outcome by file of the rows that the table has; what is left of a half-written row is cut off.

    in_lungs: whether new rows would have that column filled, so that older ones should.
    """
    if not output.exists():
        return {}
    if not output.is_file():
        raise BatchError(f"{output} is no file that can be written.")
    data = output.read_bytes()
    if _line(COLUMNS).encode().startswith(data):
        return {}
    if not data.startswith(b"file,outcome,"):
        raise BatchError(f"{output} is no table of this command. Choose another name.")
    if restart:
        return {}
    whole = _whole_rows(data)
    header, *rows = list(csv.reader(io.StringIO(whole.decode(_TEXT["encoding"], _TEXT["errors"]), newline=""))) or [[]]
    if header != list(COLUMNS) or any(len(row) != len(COLUMNS) for row in rows):
        raise BatchError(f"{output} has other columns than this version writes. Begin a new table: {command}")
    others = sorted({row[-1] for row in rows} - {tag})
    if others:
        raise BatchError(f"{output} has rows of {', '.join(others)}, not of {tag}. Begin a new table: {command}")
    told = [row[COLUMNS.index("in_lungs")] for row in rows if row[1] == "read"]
    if in_lungs and told and not any(told):
        raise BatchError(f"{output} was begun without --in-lungs. Begin a new table: {command}")
    os.truncate(output, len(whole))
    return {row[0]: row[1] for row in rows}


def _whole_rows(data: bytes) -> bytes:
    """The table without what follows its last whole row; a line that ends inside quotes ends no row."""
    end = position = quotes = 0
    for line in data.splitlines(keepends=True):
        position += len(line)
        quotes += line.count(b'"')
        if line.endswith(b"\n") and quotes % 2 == 0:
            end = position
    return data[:end]


def _names(folder: Path) -> list[str]:
    """Every file below the folder that is not hidden, relative to it, with forward slashes, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in _files(folder, ()))


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Files in depth. A folder that may not be searched, or a link to nothing, stands for itself.

    A link back up is not followed; pipes and devices are left out.
    """
    here = folder.resolve()
    if here in above:
        return
    try:
        # By the dot within: a folder that may be listed and not entered holds nothing that can be read.
        entries = list(os.scandir(os.path.join(folder, ".")))
    except OSError:
        yield folder
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        try:
            is_folder, is_film = path.is_dir(), path.is_file() or not path.exists()
        except OSError:  # a link to what may not be looked at
            is_folder, is_film = False, True
        if is_folder:
            yield from _files(path, (*above, here))
        elif is_film:
            yield path


def _restart_command(reader: Reader, folder: Path, output: Path, in_lungs: bool) -> str:
    """What to type to begin a new table with this reader."""
    words = ["python", "-m", "lungcare", "batch", str(folder), "--output", str(output), "--restart"]
    if in_lungs:
        words.append("--in-lungs")
    if reader.bundle.folder != MODELS / reader.settings.model:
        words += ["--model", str(reader.bundle.folder)]
    return shlex.join(words)
