"""How fast `taskdoctor logs` reads, in ratios to tools on the same file: `python -m tests.bench_logs`.

Pairs are run in turn (A B A B ...) after one warm-up each and the median of the ratios is printed, since machines are
shared and drift. The log holds lines of every event kind, their numbers varied, among near-miss filler, as loguru would
write it. Needs `rg` >= 13 on the path (`apt-get install ripgrep`); nothing here is timed by the test suite.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from taskdoctor.collectors.logs.event import LogEvent, all_events, find

FILLER = (
    "session {} sent an audio frame of 20 kB to the browser, text 你好世界, expression 3",
    "connection state updated for client {}: limit ok, nothing to do, cache warm",
    "processing chunk {} of the conversation with agent 🐱 and its expression map, order kept",
    "served /static/live2d/model{}.json from memory, queue is empty, all good here",
)
NUMBERS = ("seconds", "ms", "us", "ns", "minutes", "duration", "value", "collected")
PAIRS = 5
START_S = 1_767_000_000.0


class Cost(NamedTuple):
    wall_s: float
    peak_mib: float


def write_log(path: Path, size_bytes: int, share: float, seed: int = 1) -> None:
    """A loguru-style log in which `share` of the lines are events, over all kinds."""
    rng = random.Random(seed)
    samples = [
        (line, _numbers(event, line))
        for event in all_events()
        if event.literals
        for line in (sample.split("\n")[0] for sample in event.samples)
    ]
    with path.open("wb") as out:
        written, at_s = 0, START_S
        while written < size_bytes:
            lines = []
            for _ in range(5000):
                at_s += rng.random() * 0.04
                if rng.random() < share:
                    message = _varied(*rng.choice(samples), rng)
                else:
                    message = rng.choice(FILLER).format(rng.randrange(10**6))
                stamp = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
                lines.append(f"{stamp} | INFO     | app.module.service:handle:{rng.randrange(900)} - {message}\n")
            written += out.write("".join(lines).encode("utf-8", "replace"))


def _numbers(event: LogEvent, line: str) -> list[int]:
    """Where the digits of the measured numbers of a sample stand: they differ from line to line, as in a real log."""
    match = find(event, line)
    if match is None:
        return []
    names = [name for name in match.re.groupindex if name.rstrip("0123456789") in NUMBERS and match[name]]
    return [at for name in names for at in range(*match.span(name)) if line[at] in "0123456789"]


def _varied(line: str, digits: Sequence[int], rng: random.Random) -> str:
    """The same line with other numbers of as many digits, a few of them shorter by one."""
    if not digits:
        return line
    letters = list(line)
    for at in digits:
        letters[at] = rng.choice("123456789")
    if len(digits) > 1 and rng.random() < 0.2:
        letters[digits[0]] = ""
    return "".join(letters)


def literals(path: Path) -> Path:
    """The same literals for rg, one per line."""
    found = sorted({literal for event in all_events() for literal in event.literals})
    path.write_text("\n".join(found) + "\n", encoding="utf-8")
    return path


def run(command: Sequence[str], cores: set[int]) -> Cost:
    """One run as a whole process: wall seconds, and the peak memory of its largest process."""
    started_s = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},  # as installed
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Cost(time.perf_counter() - started_s, usage.ru_maxrss / 1024)


def paired(ours: Sequence[str], other: Sequence[str], cores: set[int], pairs: int) -> tuple[float, Cost, Cost]:
    """Median of the pairwise ratios ours / other, and the median cost of each."""
    run(ours, cores)
    run(other, cores)
    costs = [(run(ours, cores), run(other, cores)) for _ in range(pairs)]
    ratio = statistics.median(a.wall_s / b.wall_s for a, b in costs)
    return ratio, _median([a for a, _ in costs]), _median([b for _, b in costs])


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.wall_s for c in costs), max(c.peak_mib for c in costs))


def report(name: str, ratio: float, wanted: str, ours: Cost, other: Cost) -> None:
    print(  # noqa: T201 - a command that prints its figures
        f"{name:<34} {ratio:5.2f}x (asked: {wanted})   {ours.wall_s:6.2f} s against {other.wall_s:6.2f} s,"
        f" peak {ours.peak_mib:4.0f} MiB",
        flush=True,
    )


def against_rg(folder: Path, size_bytes: int, pairs: int) -> None:
    rg = shutil.which("rg")
    if rg is None:
        print("rg is not on the path: apt-get install ripgrep")  # noqa: T201
        return
    words = literals(folder / "literals.txt")
    for share, name, one, two in ((0.03, "3 % events", "<= 1.5", "<= 0.9"), (0.5, "50 % events", "<= 6.5", "<= 3.5")):
        log = folder / f"events-{share}.log"
        write_log(log, size_bytes, share)
        ours = [sys.executable, "-m", "taskdoctor", "logs", str(log), "--exit-zero"]
        theirs = [rg, "-c", "-F", "-f", str(words), str(log)]
        for cores, wanted in (({0}, one), ({0, 1}, two)):
            ratio, cost, other = paired(ours, theirs, cores, pairs)
            report(f"{name}, {len(cores)} core{'s' * (len(cores) > 1)}, rg -c -F", ratio, wanted, cost, other)
        log.unlink()


DECOMPRESS = {
    "gz": "from isal import igzip as z; f = z.open({path!r}, 'rb')",
    "zst": "import zstandard as z; f = z.ZstdDecompressor().stream_reader(open({path!r}, 'rb'))",
}


def against_decompressors(folder: Path, size_bytes: int, pairs: int) -> None:
    """Speed relative to the bare decompressor: 0.8 means four fifths of its speed."""
    log = folder / "packed.log"
    write_log(log, size_bytes, 0.03)
    for kind, packed in _packed(log):
        code = DECOMPRESS[kind].format(path=str(packed)) + "\nb = bytearray(1 << 18)\nwhile f.readinto(b): pass"
        ours = [sys.executable, "-m", "taskdoctor", "logs", str(packed), "--exit-zero"]
        ratio, cost, other = paired(ours, [sys.executable, "-c", code], {0, 1}, pairs)
        report(f".{kind}, speed / bare decompressor", 1 / ratio, ">= 0.8", cost, other)
        packed.unlink()


def _packed(log: Path) -> Iterator[tuple[str, Path]]:
    import zstandard
    from isal import igzip

    gz = log.with_suffix(".log.gz")
    with log.open("rb") as source, igzip.IGzipFile(str(gz), "wb", compresslevel=1) as target:  # type: ignore[no-untyped-call]
        shutil.copyfileobj(source, target, 1 << 20)
    yield "gz", gz
    zst = log.with_suffix(".log.zst")
    with log.open("rb") as source, zst.open("wb") as out:
        zstandard.ZstdCompressor(level=3).copy_stream(source, out)
    yield "zst", zst


def help_time(pairs: int) -> None:
    costs = [run([sys.executable, "-m", "taskdoctor", "--help"], {0, 1}) for _ in range(pairs + 1)][1:]
    print(f"{'taskdoctor --help':<34} {_median(costs).wall_s:5.2f} s (asked: < 0.3 s)")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1000, help="size of the logs, default 1000")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    size_bytes = chosen.mb * 1_000_000
    help_time(chosen.pairs)
    with tempfile.TemporaryDirectory() as folder:
        against_rg(Path(folder), size_bytes, chosen.pairs)
        against_decompressors(Path(folder), size_bytes, chosen.pairs)


if __name__ == "__main__":
    main()
