"""Damaged and made-up files through the library: python -m benchmarks.fuzz [--inputs 100000]

Each input has to be read or refused, within 2 seconds of the processor, in memory that stays flat. Byte mutations of
all files in tests/formats.py, and structures drawn by hypothesis. Works in chunks, each the same whenever it is made:
stopped, it goes on where it was (runs/fuzz/). What is wrong is kept there as a file and counted in
docs/results/fuzz.json.
"""

import argparse
import json
import random
import selectors
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lungcare import film, gate
from lungcare.reading import FilmError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "fuzz.json"
CHUNK, DRAWN = 1000, 150
CHUNKS_OF_A_WORKER = 10
LIMIT_SECONDS, PATIENCE_SECONDS = 2, 300
SMALL_BYTES = b"\x00\x01\x02\x7f\x80\xfe\xff"


def outcome(data: bytes) -> str:
    """What becomes of an input: "read", or the code of its refusal. Raises whatever else the library raises."""
    try:
        radiograph = film.decode(data)
        gate.check_quality(radiograph)
        film.network_input(radiograph, 64)
    except FilmError as error:
        return error.code
    return "read"


def seeds() -> list[bytes]:
    """Every file of the table, small."""
    from tests.formats import READ, REFUSED

    return [data for case in (*READ, *REFUSED) if 0 < len(data := case.make()) < 200_000]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A file with one to eight damages, more of them near its beginning."""
    damaged = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        if not damaged:
            break
        reach = len(damaged) if draw.random() < 0.5 else min(len(damaged), draw.choice((64, 256, 1024)))
        at = draw.randrange(reach)
        if at < 8 and draw.random() < 0.9:  # the signature is spared, mostly: without it, nothing is decoded
            at = min(at + 8, len(damaged) - 1)
        kind = draw.randrange(8)
        if kind == 0:
            damaged[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            damaged[at] = draw.choice(SMALL_BYTES)
        elif kind == 2:
            size = draw.choice((2, 4, 8))
            damaged[at : at + size] = draw.choice(SMALL_BYTES).to_bytes(1, "big") * size
        elif kind == 3:
            del damaged[at : at + draw.choice((1, 2, 4, 100, 10_000))]
        elif kind == 4:
            damaged[at:at] = draw.randbytes(draw.choice((1, 2, 4, 100)))
        elif kind == 5:
            source = draw.randrange(len(damaged))
            damaged[at:at] = damaged[source : source + draw.choice((4, 64, 1000))]
        elif kind == 6:
            del damaged[at:]
        else:
            order = draw.choice(("<", ">"))
            value = draw.choice((0, 1, 64, 4000, 6000, 65535, 2**31 - 1, 2**31, 2**32 - 1))
            width = draw.choice((2, 4))
            damaged[at : at + width] = (
                struct.pack(order + "Q", value)[:width] if order == "<" else struct.pack(">Q", value)[-width:]
            )
    return _mended(bytes(damaged)) if draw.random() < 0.5 else bytes(damaged)


def _mended(data: bytes) -> bytes:
    """A PNG with the checksums of its chunks put right, so that damage goes deeper; other files as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        body = data[position + 4 : position + 8 + length]
        if len(body) < 4 + length:
            break
        parts += [data[position : position + 4], body, struct.pack(">I", zlib.crc32(body))]
        position += 12 + length
    return b"".join([*parts, data[position:]])


_SIZES = st.sampled_from((0, 1, 63, 64, 100, 150, 4000, 6000, 65_535))
_BITS = st.sampled_from((0, 1, 7, 8, 9, 12, 16, 17, 32, 64))
_BODIES = st.binary(max_size=40_000) | st.sampled_from((bytes(20_000), bytes(40_000), b"\xff" * 20_000))


@st.composite
def dicom_files(draw: st.DrawFn) -> bytes:
    """DICOM files with every technical tag at odds with the others, in odd encodings."""
    from lungcare import elements

    is_explicit, order = draw(st.booleans()), draw(st.sampled_from("<<<>"))

    def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
        head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        length = len(value) if length is None else length
        if not is_explicit:
            return head + struct.pack(order + "I", length) + value
        if vr in (b"OB", b"OW", b"SQ", b"UN"):
            return head + vr + b"\0\0" + struct.pack(order + "I", length) + value
        return head + vr + struct.pack(order + "H", min(length, 65_535)) + value

    def shorts(*numbers: int) -> bytes:
        return struct.pack(order + f"{len(numbers)}H", *numbers)

    syntax = draw(st.sampled_from(sorted(elements.TRANSFER_SYNTAXES))).encode()
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax) + len(syntax) % 2) + syntax + b"\0" * (len(syntax) % 2)
    text = st.sampled_from(
        (b"", b"DX", b"CT", b"1", b"0", b"-1", b"1e400", b"nan", b"1\\2", b"\xff\xfe", b"MONOCHROME1")
    )
    photometric = st.sampled_from(
        (b"MONOCHROME1 ", b"MONOCHROME2 ", b"RGB ", b"YBR_FULL_422", b"YBR_FULL", b"PALETTE COLOR ")
    )
    parts = []
    for tag in sorted(elements.TAGS | set(elements.SEQUENCES)):
        if tag == elements.PIXELS or not draw(st.integers(0, 5)):
            continue
        if tag in (elements.ROWS, elements.COLUMNS):
            value = element(tag, b"US", shorts(draw(_SIZES)))
        elif tag in (elements.BITS_ALLOCATED, elements.BITS_STORED, elements.HIGH_BIT):
            value = element(tag, b"US", shorts(draw(_BITS)))
        elif tag == elements.PHOTOMETRIC:
            value = element(tag, b"CS", draw(photometric))
        elif tag in (elements.SAMPLES, elements.PLANAR, elements.SIGNED, elements.PADDING, elements.PADDING_LIMIT):
            value = element(tag, b"US", shorts(draw(st.sampled_from((0, 1, 1, 1, 3, 65_535)))))
        elif tag in elements.SEQUENCES:
            table = element(elements.LUT_DESCRIPTOR, b"US", shorts(*draw(st.tuples(_SIZES, _SIZES, _BITS))))
            table += element(elements.LUT_DATA, b"OW", draw(st.binary(max_size=300)))
            item = struct.pack(order + "HHI", 0xFFFE, 0xE000, draw(st.sampled_from((len(table), 0xFFFFFFFF)))) + table
            value = element(tag, b"SQ", item, draw(st.sampled_from((len(item), 0xFFFFFFFF, 0))))
        else:
            value = element(tag, b"DS", draw(text))
        parts.append(value)
    body = draw(_BODIES)
    if draw(st.booleans()):
        body = (
            struct.pack(order + "HHI", 0xFFFE, 0xE000, 0) + struct.pack(order + "HHI", 0xFFFE, 0xE000, len(body)) + body
        )
        parts.append(element(elements.PIXELS, b"OB", body, 0xFFFFFFFF))
    else:
        parts.append(element(elements.PIXELS, b"OW", body))
    data = b"".join(parts)
    if syntax.endswith(b".99"):
        press = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = press.compress(data) + press.flush()
    return draw(st.sampled_from((bytes(128) + b"DICM" + meta, meta, b""))) + data


@st.composite
def tiff_files(draw: st.DrawFn) -> bytes:
    """TIFF files whose entries are at odds with each other."""
    values = st.sampled_from((0, 1, 2, 3, 5, 6, 7, 8, 16, 32, 100, 150, 6000, 65_535, 2**31, 2**32 - 1))
    tags = st.sampled_from((254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 338, 339))
    entries = sorted(
        draw(st.lists(st.tuples(tags, st.sampled_from((1, 2, 3, 4, 5, 11, 12)), values, values), max_size=20))
    )
    entries = [(256, 3, 1, 100), (257, 3, 1, 100), *entries]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return head + body + struct.pack("<I", draw(st.sampled_from((0, 0, 8, 100)))) + draw(_BODIES)


@st.composite
def png_files(draw: st.DrawFn) -> bytes:
    """PNG files whose chunks are whole and make no sense together."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    depth, colour = draw(st.sampled_from((1, 2, 4, 8, 16))), draw(st.sampled_from((0, 2, 3, 4, 6)))
    size = st.sampled_from((64, 65, 100, 300))
    data = b"\x89PNG\r\n\x1a\n"
    data += chunk(b"IHDR", struct.pack(">IIBBBBB", draw(size), draw(size), depth, colour, 0, 0, draw(st.booleans())))
    names = st.sampled_from((b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"acTL", b"fcTL", b"zTXt", b"iTXt", b"pHYs", b"gAMA"))
    for name, body in draw(st.lists(st.tuples(names, st.binary(max_size=200)), max_size=5)):
        data += chunk(name, body)
    data += chunk(b"IDAT", zlib.compress(draw(_BODIES), 1))
    return data + draw(st.sampled_from((b"", chunk(b"IEND", b""))))


FILES = dicom_files() | tiff_files() | png_files() | st.binary(max_size=300)


def work(first: int, chunks: int, folder: Path) -> None:
    """Go through chunks `first` and following, and say of each one what became of its inputs, as a line of JSON."""
    warnings.simplefilter("ignore")
    files = seeds()
    for number in range(first, first + chunks):
        print(json.dumps(chunk(number, files, folder)), flush=True)


def chunk(number: int, files: list[bytes], folder: Path, mutations: int = CHUNK - DRAWN, drawn: int = DRAWN) -> dict:
    """Put the inputs of one chunk through the library. files: to be mutated. folder: keeps what goes wrong.

    The same number gives the same inputs. Returns how many had which outcome, what was wrong, and what it cost.
    """
    random_source = random.Random(number)
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = [0.0]

    def one(data: bytes) -> None:
        (folder / "now").write_bytes(data)
        start = time.process_time()
        try:
            tally[outcome(data)] += 1
        except Exception as error:  # noqa: BLE001 whatever the library must not raise
            tally["raised"] += 1
            wrong.append(f"{type(error).__name__}: {error}"[:200])
            (folder / f"raised-{number}-{tally.total()}").write_bytes(data)
        seconds = time.process_time() - start
        if seconds > LIMIT_SECONDS:
            wrong.append(f"{seconds:.1f} s")
            (folder / f"slow-{number}-{tally.total()}").write_bytes(data)
        slowest[0] = max(slowest[0], seconds)

    for _ in range(mutations):
        one(mutated(random_source.choice(files), random_source))

    @seed(number)
    @settings(
        max_examples=drawn,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(FILES)
    def draw(data: bytes) -> None:
        one(data)

    draw()
    return {"chunk": number, "tally": tally, "slowest": slowest[0], "megabytes": _memory(), "wrong": wrong}


def _memory() -> float:
    """Memory of this process now, in MB (Linux; elsewhere 0)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Run the workers one after the other until there are enough inputs, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further worker after so long")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "fuzz")
    parser.add_argument("--work", type=int, nargs=2, metavar=("FIRST", "CHUNKS"), help="be a worker")
    options = parser.parse_args()
    if options.work:
        return work(*options.work, options.folder)
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "chunks.jsonl"
    end = time.monotonic() + 60 * options.minutes
    while True:
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        report = _report(lines)
        if report["inputs"] >= options.inputs or time.monotonic() > end:
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(report, indent=1))
            return None
        _worker(1 + max((line["chunk"] for line in lines), default=-1), options.folder, log)


def _worker(number: int, folder: Path, log: Path) -> None:
    """One worker. Where it dies or hangs, its last input is kept, and the next worker begins behind that chunk."""
    command = [sys.executable, "-m", "benchmarks.fuzz", "--folder", str(folder)]
    command += ["--work", str(number), str(CHUNKS_OF_A_WORKER)]
    with (folder / "stderr").open("ab") as stderr, log.open("a") as lines:
        worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
        done = number - 1
        watch, last = time.monotonic(), None
        selector = selectors.DefaultSelector()
        selector.register(worker.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=5):
                line = worker.stdout.readline()
                if not line:
                    break
                lines.write(line)
                lines.flush()
                done += 1
            now = (folder / "now").stat().st_mtime_ns if (folder / "now").exists() else None
            if now != last:
                watch, last = time.monotonic(), now
            elif time.monotonic() - watch > PATIENCE_SECONDS:
                worker.kill()
                break
        code = worker.wait()
        if code:
            (folder / "now").rename(folder / f"died-{done + 1}")
            line = {"chunk": done + 1, "tally": {"died": 1}, "slowest": 0, "megabytes": 0, "wrong": [f"died: {code}"]}
            lines.write(json.dumps(line) + "\n")


def _report(lines: list[dict]) -> dict:
    """The results of all chunks in one."""
    tally = sum((Counter(line["tally"]) for line in lines), Counter())
    memory = [line["megabytes"] for line in lines if line["megabytes"]]
    return {
        "inputs": tally.total(),
        "outcomes": dict(sorted(tally.items())),
        "findings": [f"chunk {line['chunk']}: {what}" for line in lines for what in line["wrong"]],
        "slowest_seconds": round(max((line["slowest"] for line in lines), default=0), 2),
        "megabytes_after_each_chunk": {
            f"{n * 1000} inputs into a worker": round(max(memory[n - 1 :: CHUNKS_OF_A_WORKER], default=0))
            for n in (1, 2, 5, CHUNKS_OF_A_WORKER)
        },
    }


if __name__ == "__main__":
    main()
