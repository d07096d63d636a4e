"""Open-LLM-VTuber: loguru with ` | ` before the message; the console has no fraction, the file ends in ` | {}`."""

from __future__ import annotations

from taskdoctor.collectors.logs.format import DASHED_ISO, DIGITS, Format, Sample, Tail

_REST = r" \| (?P<level>[A-Za-z]{1,20}) *\| (?P<logger>[^ :]{1,200}:[^ :]{0,200}:[0-9]{1,8}) \| "

CONSOLE = Format(
    name="open-llm-vtuber-console",
    opens=DIGITS,
    pattern=DASHED_ISO + _REST,
    samples=(
        Sample(
            "2026-03-04 10:11:12 | INFO     | src.chat.turn:run:55 | New Conversation Chain 🐱 started!",
            "2026-03-04T10:11:12",
            "New Conversation Chain 🐱 started!",
            "INFO",
            "src.chat.turn:run:55",
        ),
        Sample(
            "\x1b[32m2026-03-04 10:11:12\x1b[0m | \x1b[34m\x1b[1mDEBUG   \x1b[0m | \x1b[36msrc.tts\x1b[0m:"
            "\x1b[36mspeak\x1b[0m:\x1b[36m168\x1b[0m | \x1b[34m\x1b[1mAudio cache file cleaned.\x1b[0m",
            "2026-03-04T10:11:12",
            "Audio cache file cleaned.",
            "DEBUG",
            "src.tts:speak:168",
        ),
    ),
)

FILE = Format(
    name="open-llm-vtuber-file",
    opens=DIGITS,
    pattern=DASHED_ISO + r"[.,](?P<fraction>[0-9]{3,6})" + _REST,
    tail=Tail.EXTRA,
    samples=(
        Sample(
            "2026-03-04 10:11:12.345 | DEBUG    | src.tts:speak:168 | Audio cache file cleaned. | {}",
            "2026-03-04T10:11:12.345",
            "Audio cache file cleaned.",
            "DEBUG",
            "src.tts:speak:168",
        ),
        Sample(
            "2026-03-04 10:11:12.345 | ERROR    | src.chat:turn:9 | Error in conversation | {'client': 'a | b'}",
            "2026-03-04T10:11:12.345",
            "Error in conversation",
            "ERROR",
            "src.chat:turn:9",
        ),
        Sample(
            "2026-03-04 10:11:12.345 | ERROR    | src.chat:turn:9 | first line of several",
            "2026-03-04T10:11:12.345",
            "first line of several",
            "ERROR",
            "src.chat:turn:9",
        ),
    ),
)
