"""Level names, as every library spells them, in Python's own words."""

from __future__ import annotations

_NAMES = {
    "DEBUG": "DEBUG D TRACE TRACE1 TRACE2 TRACE3 TRACE4 DEBUG2 DEBUG3 DEBUG4 FINE FINER FINEST VERBOSE V T",
    "INFO": "INFO I INFORMATION INFORMATIONAL NOTICE SUCCESS INFO2 INFO3 INFO4 LOG DEFAULT",
    "WARNING": "WARNING W WARN WARN2 WARN3 WARN4",
    "ERROR": "ERROR E ERR EXCEPTION SEVERE ERROR2 ERROR3 ERROR4",
    "CRITICAL": "CRITICAL C CRIT F FATAL ALERT EMERG EMERGENCY PANIC DPANIC FATAL2 FATAL3 FATAL4",
}
_SYSLOG = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")


def _spellings() -> dict[str, str]:
    names = {spelling: level for level, spellings in _NAMES.items() for spelling in spellings.split()}
    priorities = {f"<{number}>": _SYSLOG[number & 7] for number in range(192)}
    severities = {str(number): level for number, level in enumerate(_SYSLOG)}
    return names | {name.lower(): level for name, level in names.items()} | priorities | severities


_BY_TEXT = _spellings()
BY_BYTES: dict[bytes | None, str] = {spelling.encode(): level for spelling, level in _BY_TEXT.items()}


def level_of(value: object) -> str:
    """From a record's field: a name, a syslog severity (0-7) or the numbers of pino and bunyan (10-60)."""
    if isinstance(value, str):
        return _BY_TEXT.get(value.strip().upper(), "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if value < 8:
        return _SYSLOG[int(value)] if value >= 0 else ""
    steps = ((60, "CRITICAL"), (50, "ERROR"), (40, "WARNING"), (30, "INFO"), (10, "DEBUG"))
    return next((level for number, level in steps if number <= value < 70), "")
