"""The causes: one file each: what it claims, why, how to check, how to fix, and a short log on which it proves itself.

Why discovered and not listed: adding a cause is one new file and no other edit. A cause is a value, so discovery is an
`isinstance` on the constant CAUSE of each module; nothing registers itself, and no name prefix means anything.
Why no cause knows a file, a socket or another cause: each judges a Timeline, so it works the same from a log, a live
port or a saved snapshot. Their claims may overlap; who is asked first is decided by the layer, not here.
One physical fact feeds one cause: where a line has two readings ("the loop was held"), both claim it with a weight.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from taskdoctor.model import Cause

__all__ = ["all_causes", "get"]


@cache
def all_causes() -> tuple[Cause, ...]:
    """Every cause of this package, the more certain layer first."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = (getattr(importlib.import_module(f"{__name__}.{name}"), "CAUSE", None) for name in names)
    return tuple(sorted((cause for cause in found if isinstance(cause, Cause)), key=lambda c: (c.layer, c.id)))


def get(cause_id: str) -> Cause:
    """The cause with this id; KeyError where there is none."""
    return {cause.id: cause for cause in all_causes()}[cause_id]
