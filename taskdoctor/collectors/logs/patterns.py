"""The user's own lines: `--pattern NAME=REGEX`, and the same in `pyproject.toml` or `taskdoctor.toml`, as log events.

--pattern turn='took (?P<seconds>[\\d.]+)s'
--pattern turn.start='turn (?P<key>\\d+) begins'  --pattern turn.end='turn (?P<key>\\d+) is over'

[tool.taskdoctor.patterns]          # in taskdoctor.toml: [patterns]
turn = 'took (?P<seconds>[\\d.]+)s'
job = { start = 'job (?P<key>\\w+) begins', end = 'job (?P<key>\\w+) ends' }
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from taskdoctor.collectors.logs import linear
from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.errors import UsageError
from taskdoctor.model import Form, Lane

USER = -10  # priority: before everything that is shipped
LENGTHS = ("seconds", "ms", "us", "ns", "minutes", "duration")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_OPTION = re.compile(r"([^=]*?)(\.start|\.end)?=(.*)", re.DOTALL)
_EXAMPLE = r"--pattern turn='took (?P<seconds>[\d.]+)s'"
_PAIR_EXAMPLE = r"--pattern turn.start='turn (?P<key>\d+) begins' --pattern turn.end='turn (?P<key>\d+) ends'"

Spec = str | Mapping[str, str]  # a pattern, or {"start": ..., "end": ...}


def user_events(options: Iterable[str] = (), *, config: Path | None = None) -> tuple[LogEvent, ...]:
    """The events of the command line and of a configuration file; the command line wins where both name one."""
    specs = {} if config is None else configured(config)
    specs.update(from_options(options))
    events = tuple(event for name in sorted(specs) for event in events_of(name, specs[name]))
    kinds = [event.kind for event in events]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise UsageError(f"two patterns have the same name but for - and _ or case: {kind.removeprefix('user-')}")
    return events


def find_config(folder: Path) -> Path | None:
    """The nearest taskdoctor.toml, or pyproject.toml with a [tool.taskdoctor], of a folder and those above it."""
    for place in (folder, *folder.parents):
        for path in (place / "taskdoctor.toml", place / "pyproject.toml"):
            if path.is_file() and (path.name == "taskdoctor.toml" or "[tool.taskdoctor" in _text(path)):
                return path
    return None


# --- reading ----------------------------------------------------------------------------------------------------


def from_options(options: Iterable[str]) -> dict[str, Spec]:
    """`NAME=REGEX`, or `NAME.start=REGEX` with `NAME.end=REGEX`."""
    whole: dict[str, Spec] = {}
    parts: dict[str, dict[str, str]] = {}
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            raise UsageError(f"--pattern {option!r} has no name", hint=f"Write {_EXAMPLE}")
        name, side, pattern = match[1], match[2], match[3]
        taken = whole if side is None else parts.setdefault(name, {})
        key = name if side is None else side.removeprefix(".")
        if key in taken or (name in whole and name in parts):
            raise UsageError(f"--pattern {name} is given twice", hint="Give each pattern a name of its own.")
        taken[key] = pattern
    return {**whole, **parts}


def configured(path: Path) -> dict[str, Spec]:
    """The patterns of a `taskdoctor.toml`, or of `[tool.taskdoctor]` in a `pyproject.toml`."""
    try:
        document: object = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    keys = ("patterns",) if path.name == "taskdoctor.toml" else ("tool", "taskdoctor", "patterns")
    for key in keys:
        document = document.get(key, {}) if isinstance(document, dict) else None
    if not isinstance(document, dict):
        raise UsageError(f"{path}: patterns is not a table", hint="Write turn = 'took (?P<seconds>[\\d.]+)s' in it.")
    return {str(name): _spec(path, str(name), value) for name, value in document.items()}


def _spec(path: Path, name: str, value: object) -> Spec:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return {str(side): str(part) for side, part in value.items()}
    raise UsageError(
        f"{path}: the pattern {name} is neither a text nor a table of start and end",
        hint="Write turn = 'took (?P<seconds>[\\d.]+)s', or turn = { start = '...', end = '...' }.",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


# --- events -----------------------------------------------------------------------------------------------------


def events_of(name: str, spec: Spec) -> tuple[LogEvent, ...]:
    """One event, or the two of a pair; a UsageError says what is wrong."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a pattern",
            hint="A name begins with a letter and has letters, digits, - and _ only, at most 40.",
        )
    if isinstance(spec, str):
        return (_single(name, spec),)
    if set(spec) != {"start", "end"}:
        raise UsageError(f"the pattern {name} needs a start and an end", hint=f"Write {_PAIR_EXAMPLE}")
    groups = {side: _groups(f"{name}.{side}", pattern) for side, pattern in spec.items()}
    if ("key" in groups["start"]) != ("key" in groups["end"]):
        raise UsageError(
            f"the pattern {name} has a group (?P<key>...) in only one of start and end",
            hint=f"Both lines must name what belongs together: {_PAIR_EXAMPLE}",
        )
    return tuple(_event(name, spec[side], form, suffix) for side, form, suffix in _SIDES)


_SIDES = (("start", Form.OPEN, "-started"), ("end", Form.CLOSE, "-finished"))


def _single(name: str, pattern: str) -> LogEvent:
    groups = _groups(name, pattern)
    if groups.intersection(LENGTHS):
        return _event(name, pattern, Form.SPAN)
    if "value" in groups:
        return _event(name, pattern, Form.LEVEL)
    raise UsageError(
        f"the pattern {name} has no group for the value",
        hint=f"Name one of {', '.join(LENGTHS)} or value: {_EXAMPLE}; or give a start and an end: {_PAIR_EXAMPLE}",
    )


def _groups(name: str, pattern: str) -> frozenset[str]:
    """The named groups of a pattern that is fit for use."""
    try:
        linear.check(pattern)
        return frozenset(re.compile(pattern).groupindex)
    except linear.NotLinearError as error:
        raise UsageError(
            f"the pattern {name} could take very long on some lines: {error}",
            hint=(
                "Let each repeat end at a character that it cannot match: [^,]* instead of .*, [\\d.]+ "
                "instead of (\\d+\\.?)+"
            ),
        ) from error
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"the pattern {name} is not a valid regular expression: {error}", hint=f"Try {_EXAMPLE}"
        ) from error


def _event(name: str, pattern: str, form: Form, suffix: str = "") -> LogEvent:
    kind = "user-" + name.lower().replace("_", "-")
    return LogEvent(
        kind=kind + suffix,
        lane=Lane.STATE if form is Form.LEVEL else Lane.OPERATION,
        form=form,
        literals=linear.required_literals(pattern),
        pattern=pattern,
        samples=(),
        anywhere=True,
        pair=kind if suffix else "",
        label=name,
        title=name,
        priority=USER,
    )
