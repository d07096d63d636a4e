"""What each process of the zoo is, and how a case is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from taskdoctor.model import ProcessClass
from tests.zoo.keeper import Keeper

ORPHAN: frozenset[ProcessClass | None] = frozenset({ProcessClass.ORPHAN})
HELPER: frozenset[ProcessClass | None] = frozenset({ProcessClass.HELPER})
LIVE: frozenset[ProcessClass | None] = frozenset({ProcessClass.LIVE})
SUSPECT: frozenset[ProcessClass | None] = frozenset({ProcessClass.SUSPECT})
RETAINED: frozenset[ProcessClass | None] = frozenset({ProcessClass.RETAINED})
ZOMBIE: frozenset[ProcessClass | None] = frozenset({ProcessClass.ZOMBIE})
NOTHING: frozenset[ProcessClass | None] = frozenset({None})  # not to be listed at all
KEPT = LIVE | NOTHING | SUSPECT


@dataclass(frozen=True, slots=True)
class Label:
    """What one process is."""

    case: str
    pid: int
    wanted: frozenset[ProcessClass | None]  # any of these; None: not listed

    @property
    def is_orphan(self) -> bool:
        return self.wanted == ORPHAN


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    start: Callable[[Keeper], Iterator[Label]]
    needs_node: bool = False
