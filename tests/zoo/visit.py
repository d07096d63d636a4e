"""One visit: everything of the zoo started, looked at once, and compared with what it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from taskdoctor.collectors.processes.collecting import APART_S, Options, collect
from taskdoctor.collectors.processes.table import read_row
from taskdoctor.model import ProcessClass, Processes
from tests.zoo.cases import CASES, closing_now
from tests.zoo.environments import FIRST, OLD, SECOND, packages, python_with, uv
from tests.zoo.keeper import Keeper
from tests.zoo.labels import Case, Label


@dataclass(frozen=True, slots=True)
class Sight:
    """One process, and what it was taken for; None: not listed."""

    label: Label
    seen: ProcessClass | None

    @property
    def is_right(self) -> bool:
        return self.seen in self.label.wanted


@dataclass(frozen=True, slots=True)
class Score:
    """How often `orphan` was right, and how many of the orphans were found."""

    sights: tuple[Sight, ...]

    @property
    def precision(self) -> float:
        said = [sight for sight in self.sights if sight.seen is ProcessClass.ORPHAN]
        return sum(sight.label.is_orphan for sight in said) / len(said) if said else 1.0

    @property
    def recall(self) -> float:
        orphans = [sight for sight in self.sights if sight.label.is_orphan]
        return sum(sight.seen is ProcessClass.ORPHAN for sight in orphans) / len(orphans) if orphans else 1.0


def cases_here() -> list[Case]:
    """Those that this machine can run."""
    node = shutil.which("node") is not None and shutil.which("npm") is not None
    return [case for case in CASES if node or not case.needs_node]


def fill(keeper: Keeper, cases: Sequence[Case]) -> list[Label]:
    """Start everything, a few at a time, and at last what must be looked at at once."""
    for version in (FIRST, SECOND, OLD):
        python_with(version)
    uv()
    if any(case.needs_node for case in cases):
        keeper.with_node()
        packages()
    with ThreadPoolExecutor(4) as pool:
        labels = [label for labels in pool.map(lambda case: list(case.start(keeper)), cases) for label in labels]
    labels += closing_now(keeper)
    lost = [label for label in labels if ProcessClass.ZOMBIE not in label.wanted and not _lives(label.pid)]
    assert not lost, f"ended by themselves, and prove nothing: {lost}, {keeper.errors()}"
    return labels


def _lives(pid: int) -> bool:
    row = read_row(pid)
    return row is not None and not row.is_zombie


def look(folder: Path, *, apart_s: float = APART_S) -> tuple[Score, Processes]:
    """A whole visit; nothing of it is left afterwards."""
    keeper = Keeper(folder)
    try:
        labels = fill(keeper, cases_here())
        processes = collect(Options(apart_s=apart_s)).processes
        assert processes is not None
        return Score(tuple(compare(labels, processes))), processes
    finally:
        keeper.close()


def compare(labels: Iterable[Label], processes: Processes) -> list[Sight]:
    """Each labelled process with the class of the tree that it was found in."""
    seen = {process.pid: tree.kind for tree in processes.trees for process in tree.processes}
    return [Sight(label, seen.get(label.pid)) for label in labels]
