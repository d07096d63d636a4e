"""`disk-growth`: cache or history folders on disk grow and are scanned."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.causes import _risks
from taskdoctor.causes._example_logs import Said, Turn, growing, incident, pile, slow_tool
from taskdoctor.diagnosis.claiming import longer_each_time, marks, rising, spans
from taskdoctor.diagnosis.growth import growths
from taskdoctor.model import Cause, Claim, Example, Fix, Lane, Layer, Priority, Risk, Timeline

ID = "disk-growth"
GONE_THROUGH = "going through {label} took {seconds}"
SCAN = "live-folder"  # files of a folder, gone through on the loop
SAVING = "measured-saving"
FULL_S = 20.0  # what was tried before a write failed on a full disk


def claims(timeline: Timeline) -> tuple[Claim, ...]:
    """A scan that tells its length; sizes own lateness only as far as it rises with them; and a disk that is full."""
    scans = tuple(event for event in timeline.spans.get(Lane.DISK, ()) if event.kind != SAVING)
    return (
        *spans(replace(timeline, spans={**timeline.spans, Lane.DISK: scans}), ID, Lane.DISK, say=GONE_THROUGH),
        *rising(timeline, ID, Lane.DISK, say="lateness rises with {label}: {first} -> {last}"),
        *marks(timeline, ID, Lane.DISK, before_s=FULL_S, weight=0.7, say="{label} inside the stall"),
        *_saving(timeline),
        *longer_each_time(
            timeline,
            ID,
            lambda event: event.kind == SCAN,
            say="going through files took longer each time: {first} -> {last}",
        ),
    )


def _saving(timeline: Timeline) -> tuple[Claim, ...]:
    """Saving that took long, where something else says that the disk is why: it may be a database as well."""
    saved = tuple(event for event in timeline.spans.get(Lane.DISK, ()) if event.kind == SAVING)
    if not saved or not (timeline.marks.get(Lane.DISK) or growths(timeline, Lane.DISK)):
        return ()
    only = replace(timeline, spans={**timeline.spans, Lane.DISK: saved})
    return spans(only, ID, Lane.DISK, say="saving took {seconds} on a disk that fills")


def risks(timeline: Timeline) -> tuple[Risk, ...]:
    """The same without blame: it grows, and nothing was late because of it yet."""
    return _risks.growing(timeline, CAUSE, "A folder on disk grows", Lane.DISK)


def _folder(turn: Turn, thousands: float) -> tuple[Said, ...]:
    line = f"cache folder: {thousands * 1000:.0f} files, {thousands * 0.064:.1f} GB"
    return (Said(turn.start_s, line, logger="app.cache:sweep:33"),)


def _full_but_flat(turn: Turn) -> tuple[Said, ...]:
    return _folder(turn, 96)


CAUSE = Cause(
    id=ID,
    title="A cache or history folder grows and is scanned again and again",
    layer=Layer.GROWING,
    lanes=(Lane.DISK,),
    prior_held=0.005,
    prior_free=0.005,
    claims=claims,
    risks=risks,
    why=(
        "Audio files, chat histories and logs are written for each turn and never removed; somewhere a listing, a "
        "search for the newest file or a clean-up goes through all of them. That costs nothing with a hundred files "
        "and seconds with a hundred thousand, more on network drives, and it usually runs synchronously on the loop. "
        "A history that is rewritten as a whole each turn grows in the same way. A full disk ends it with errors "
        "instead of lateness."
    ),
    check=(
        "for d in cache logs chat_history; do echo $d $(find $d -type f | wc -l) files $(du -sh $d | cut -f1); done; "
        "time find cache -type f -printf '%T@\\n' | sort -n | tail -1   # with your folders: tens of thousands of "
        "files and a scan as long as the stall confirm it; hundreds refute it"
    ),
    fix=Fix(
        summary="Remove old files regularly, in a thread; keep an index instead of listing the folder in a turn.",
        priority=Priority.P2,
        effort="an hour",
        risk=(
            "A clean-up can remove what is still being played or read: go by age, generously, and only below the one "
            "folder. The first run over a huge folder takes long and loads the disk: do it by hand at night."
        ),
        before="""\
from pathlib import Path


async def newest_audio() -> Path:
    files = Path("cache").iterdir()
    return max(files, key=lambda path: path.stat().st_mtime)  # every file, on the loop
""",
        after="""\
import asyncio, time
from pathlib import Path


def prune(folder: Path, older_than_s: float) -> None:
    limit = time.time() - older_than_s
    for path in folder.glob("*.wav"):
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)


async def keep_small(folder: Path) -> None:
    while True:
        await asyncio.to_thread(prune, folder, 3600.0)
        await asyncio.sleep(600)
""",
    ),
    blind_why=(
        "A log normally cannot show it: services do not write how many files they keep, and a scan on the loop looks "
        "like any other synchronous call."
    ),
    blind_how=(
        'logging.info("cache folder: %d files", sum(1 for _ in os.scandir("cache")))   # each ten minutes, in a thread'
    ),
    leads_to=("blocking-call", "cpu-bound"),
    more=(
        "Spread files over subfolders by date: removing one is quick, and a listing stays short. systemd-tmpfiles or "
        "a cron job (`find cache -type f -mmin +60 -delete`) works without a change of code; try it with -print "
        "first. Append to histories (JSON lines, SQLite) instead of rewriting them. Give logs a rotation with a limit "
        "on the number. `df -i` shows when the inodes run out before the space does."
    ),
    examples=(
        Example(
            name="lateness rises with the files",
            log=growing(pile(8, 0.5, 18), _folder, per_level=0.017),
            wins=True,
        ),
        Example(
            name="many files that do not matter, and a slow tool",
            log=incident((6.2, 7.9, 5.8, 6.6), slow_tool, ordinary=_full_but_flat),
            wins=False,
        ),
    ),
)
