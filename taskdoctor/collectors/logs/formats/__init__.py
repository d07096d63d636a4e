"""Line formats, one family per file. Adding one: a `Format` constant with sample lines in a module here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from taskdoctor.collectors.logs.format import Format


@cache
def all_formats() -> tuple[Format, ...]:
    """Every Format constant of every module here, by name."""
    found = {
        value.name: value
        for module in pkgutil.iter_modules(__path__)
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        if isinstance(value, Format)
    }
    return tuple(found[name] for name in sorted(found))
