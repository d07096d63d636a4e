"""The standard library's logging in the orders in which people write its format string."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import (
    DIGITS,
    ISO,
    LEVEL,
    LEVEL_LETTERS,
    LEVELS,
    NAME,
    NO_STAMP,
    STAMP,
    WORKER,
    WORKERS,
    Format,
    Sample,
)

_AT = "2026-03-04T10:11:12.345"
_WHERE = r"(?:[^ :]{1,100}:[0-9]{1,8} - )?"  # file.py:12
# `gc: collecting ...` is the collector's own line, not a logger.
_LOGGER = rf"(?P<logger>(?!gc[\]:]){NAME})"
_DISCORD = r"(?! *(?:DEBUG   |INFO    |WARNING |ERROR   |CRITICAL) [a-z_]+\.[a-z_.]+ )"
_HOME_ASSISTANT = rf"(?! (?:{LEVELS}) \([^()]{{0,80}}\) \[)"

BASIC = Format(
    name="stdlib-basic",
    opens=LEVEL_LETTERS,
    pattern=LEVEL + r":(?P<logger>[A-Za-z_][A-Za-z0-9_.-]{0,100}): ?" + NO_STAMP,
    samples=(
        Sample("WARNING:svc:slow", "", "slow", "WARNING", "svc"),
        Sample(
            "ERROR:asyncio:Task exception was never retrieved",
            "",
            "Task exception was never retrieved",
            "ERROR",
            "asyncio",
        ),
    ),
)

NAME_LEVEL_DASHES = Format(
    name="stdlib-name-level-dashes",
    opens=DIGITS,
    pattern=STAMP
    + rf" - (?!(?:{LEVELS}) *-)(?:{WORKER} - )?+(?:(?P<logger>(?!(?:{LEVELS}) *-)[^ ]{{1,150}}) - )?"
    + rf"{LEVEL} *- {_WHERE}",
    samples=(
        Sample(
            "2026-03-04 16:57:16,210 - distributed.core - INFO - Event loop was unresponsive in Worker for 3.72s.",
            "2026-03-04T16:57:16.210",
            "Event loop was unresponsive in Worker for 3.72s.",
            "INFO",
            "distributed.core",
        ),
        Sample("2026-03-04 10:11:12,345 - svc - WARNING - slow - very", _AT, "slow - very", "WARNING", "svc"),
        Sample("2026-03-04 10:11:12,345 - 851 - svc - ERROR - app.py:12 - slow", _AT, "slow", "ERROR", "svc", "851"),
        Sample("2026-03-04 10:11:12,345 - MainThread - ERROR - slow", _AT, "slow", "ERROR", "", "MainThread"),
    ),
)

LEVEL_NAME_DASHES = Format(
    name="stdlib-level-name-dashes",
    opens=DIGITS,
    pattern=STAMP + rf" - {LEVEL} *- (?:[\[(]?{WORKER}[\])]? - )?(?:{_LOGGER} - )?{_WHERE}",
    samples=(
        Sample("2026-03-04 10:11:12,345 - WARNING - svc.chat - slow", _AT, "slow", "WARNING", "svc.chat"),
        Sample("2026-03-04 10:11:12,345 - INFO - Started in 3 s", _AT, "Started in 3 s", "INFO"),
        Sample("2026-03-04 10:11:12,345 - INFO - [MainThread] - up", _AT, "up", "INFO", "", "MainThread"),
    ),
)

SYNAPSE = Format(
    name="synapse",
    opens=DIGITS,
    pattern=STAMP + rf" - (?P<logger>[A-Za-z_][^ ]{{0,150}}) - [0-9]{{1,8}} - {LEVEL} *- [^ ]{{1,100}} ?- ",
    samples=(
        Sample(
            "2026-03-04 10:11:12,345 - synapse.metrics._gc - 120 - INFO - sentinel - Collecting gc 2",
            _AT,
            "Collecting gc 2",
            "INFO",
            "synapse.metrics._gc",
        ),
    ),
)

LEVEL_FIRST = Format(
    name="stdlib-level-name",
    opens=DIGITS,
    pattern=STAMP
    + rf"{_DISCORD}{_HOME_ASSISTANT} {{1,4}}\[?{LEVEL} *\]?(?::| -)? +(?:[\[(]{WORKER}[\])]:? )?"
    + rf"(?:{_LOGGER}(?:: | {{2,}}(?=\S))|\[(?=[a-z_]+\.))?",
    samples=(
        Sample("2026-03-04 10:11:12,345 INFO svc.chat: slow", _AT, "slow", "INFO", "svc.chat"),
        Sample("2026-03-04 10:11:12,345 INFO    asyncio        slow", _AT, "slow", "INFO", "asyncio"),
        Sample("2026-03-04 10:11:12,345 [ERROR] svc: slow", _AT, "slow", "ERROR", "svc"),
        Sample(
            "2026-03-04 10:11:12,345 WARNING  Executing <Task> took 1.0 seconds",
            _AT,
            "Executing <Task> took 1.0 seconds",
            "WARNING",
        ),
        Sample("2026-03-04 10:11:12 [INFO] ready", "2026-03-04T10:11:12", "ready", "INFO"),
        Sample("2026-03-04 10:11:12,345 INFO [Thread-3 (run)] svc: slow", _AT, "slow", "INFO", "svc", "Thread-3 (run)"),
        Sample("2026-03-04 10:11:12,345 INFO gc: done, 3 unreachable", _AT, "gc: done, 3 unreachable", "INFO"),
        Sample("2026-03-04 10:11:12,345 ERROR ValueError: no", _AT, "ValueError: no", "ERROR"),
        Sample("2026-03-04T10:11:12.345Z INFO: ready", _AT, "ready", "INFO"),
    ),
)

NAME_FIRST = Format(
    name="stdlib-name-level",
    opens=DIGITS,
    pattern=STAMP
    + rf" +\[?(?P<logger>(?!(?:{LEVELS})\b)(?!{WORKERS}\]? )[A-Za-z_][A-Za-z0-9_.-]{{0,100}})\]?:? +"
    + rf"\[?{LEVEL} *\]?(?::| -)? +",
    samples=(
        Sample("2026-03-04 10:11:12,345 svc.chat WARNING slow", _AT, "slow", "WARNING", "svc.chat"),
        Sample("2026-03-04 10:11:12,345 [svc] ERROR: slow", _AT, "slow", "ERROR", "svc"),
        Sample("2026-03-04 10:11:12,345 svc [INFO    ] slow", _AT, "slow", "INFO", "svc"),
    ),
)

WORKER_FIRST = Format(
    name="stdlib-worker-level",
    opens=DIGITS,
    pattern=STAMP + rf" [\[(]?{WORKER}[\])]? +\[?{LEVEL} *\]?:? +(?:- )?(?:{_LOGGER}(?::| -) )?",
    samples=(
        Sample("2026-03-04 10:11:12,345 12032 INFO svc - slow", _AT, "slow", "INFO", "svc", "12032"),
        Sample(
            "2026-03-04 10:11:12,345 [MainThread] INFO  svc.chat - slow", _AT, "slow", "INFO", "svc.chat", "MainThread"
        ),
        Sample("2026-03-04 10:11:12,345 [851] [ERROR] slow", _AT, "slow", "ERROR", "", "851"),
        Sample("2026-03-04 10:11:12,345 (asyncio_0) DEBUG svc: slow", _AT, "slow", "DEBUG", "svc", "asyncio_0"),
    ),
)

COLONS = Format(
    name="stdlib-colons",
    opens=DIGITS,
    pattern=STAMP + rf"(?: : ?|:){LEVEL} ?: ?(?:{_LOGGER} ?: ?)?",
    samples=(
        Sample("2026-03-04 10:11:12,345:INFO:svc:slow", _AT, "slow", "INFO", "svc"),
        Sample("2026-03-04 10:11:12,345 : ERROR : svc : slow", _AT, "slow", "ERROR", "svc"),
    ),
)

PIPES = Format(
    name="stdlib-pipes",
    opens=DIGITS,
    pattern=STAMP
    + rf" \| {LEVEL} *\| (?![^ :]{{1,200}}:[^ :]{{0,200}}:[0-9]{{1,8}} [-|] )"
    + rf"(?:{WORKER} *\| )?(?:(?P<logger>[A-Za-z_][A-Za-z0-9_.:<>-]{{0,150}}) *\| )?",
    samples=(
        Sample("2026-03-04 10:11:12,345 | INFO | svc.chat | slow", _AT, "slow", "INFO", "svc.chat"),
        Sample("2026-03-04 10:11:12.345 | WARNING  | slow", _AT, "slow", "WARNING"),
        Sample("2026-03-04 10:11:12.345 | INFO | 851 | app:12 | slow", _AT, "slow", "INFO", "app:12", "851"),
    ),
)

LEVEL_STAMP = Format(
    name="stdlib-level-stamp",
    opens=LEVEL_LETTERS + "[",
    pattern=rf"\[?{LEVEL} *\]?(?::| -| \|)? *[\[(]?{STAMP}[\])]?(?::| -| \|)? *"
    + rf"(?:(?P<logger>[a-z_][A-Za-z0-9_.]{{0,100}})(?: {WORKER} [0-9]{{1,20}} |(?::| -| \|) ))?",
    samples=(
        Sample("INFO 2026-03-04 10:11:12,345 views 851 140001 slow", _AT, "slow", "INFO", "views", "851"),
        Sample("[ERROR] 2026-03-04 10:11:12,345 svc: slow", _AT, "slow", "ERROR", "svc"),
        Sample("WARNING:2026-03-04 10:11:12,345:slow request", _AT, "slow request", "WARNING"),
        Sample("DEBUG - 2026-03-04 10:11:12,345 - svc - slow", _AT, "slow", "DEBUG", "svc"),
    ),
)

FLASK = Format(
    name="flask",
    opens="[",
    pattern=rf"\[{STAMP}\] {LEVEL} in (?P<logger>[A-Za-z0-9_.]{{1,100}}): ",
    samples=(Sample("[2026-03-04 10:11:12,345] ERROR in app: slow", _AT, "slow", "ERROR", "app"),),
)

BRACKETED = Format(
    name="stdlib-bracketed",
    opens="[",
    pattern=rf"\[{STAMP}\] *(?!\[[A-Z]{{4,8}} *\] [a-z_]+(?:\.[a-z_]+)*: |[A-Z]+ in )"
    + rf"(?:- )?\[?{LEVEL} *\]?[:-]? *(?:{_LOGGER}(?::| -) )?",
    samples=(
        Sample("[2026-03-04 10:11:12,345] INFO svc: slow", _AT, "slow", "INFO", "svc"),
        Sample("[2026-03-04 10:11:12,345] [ERROR] Slow", _AT, "Slow", "ERROR"),
        Sample("[2026-03-04 10:11:12,345] - WARNING - slow", _AT, "slow", "WARNING"),
    ),
)

BRACKETED_NAME = Format(
    name="stdlib-bracketed-name",
    opens="[",
    pattern=rf"\[{STAMP}\] \[{LEVEL} *\] (?P<logger>[a-z_]+(?:\.[a-z_]+)*): ",
    samples=(
        Sample(
            "[2026-03-04 10:11:12] [WARNING ] discord.gateway: slow",
            "2026-03-04T10:11:12",
            "slow",
            "WARNING",
            "discord.gateway",
        ),
        Sample("[2026-03-04 10:11:12,345] [INFO] svc: slow", _AT, "slow", "INFO", "svc"),
    ),
)

DISCORD_COLOUR = Format(
    name="discord-colour",
    opens=DIGITS,
    pattern=ISO
    + r" (?P<level>DEBUG(?=    )|INFO(?=     )|WARNING(?=  )|ERROR(?=    )|CRITICAL) +"
    + r"(?P<logger>[a-z_]{1,60}\.[a-z_.]{1,100}) ",
    samples=(
        Sample(
            "\x1b[30;1m2026-03-04 10:11:12\x1b[0m \x1b[33;1mWARNING \x1b[0m \x1b[35mdiscord.http\x1b[0m "
            "We are being rate limited.",
            "2026-03-04T10:11:12",
            "We are being rate limited.",
            "WARNING",
            "discord.http",
        ),
    ),
)

HOME_ASSISTANT = Format(
    name="home-assistant",
    opens=DIGITS,
    pattern=STAMP + rf" {LEVEL} \((?P<worker>[^()]{{1,80}})\) \[(?P<logger>[^\[\]]{{1,150}})\] ",
    samples=(
        Sample(
            "2026-03-04 10:11:12.345 WARNING (MainThread) [homeassistant.util.loop] Detected blocking call",
            _AT,
            "Detected blocking call",
            "WARNING",
            "homeassistant.util.loop",
            "MainThread",
        ),
        Sample(
            "2026-03-04 10:11:12 ERROR (SyncWorker_3) [custom.x] no",
            "2026-03-04T10:11:12",
            "no",
            "ERROR",
            "custom.x",
            "SyncWorker_3",
        ),
    ),
)
