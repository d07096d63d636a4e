"""xiaozhi-esp32-server: loguru with a short date, the version with its modules, and dashes around the level."""

from __future__ import annotations

from taskdoctor.collectors.logs import stamps
from taskdoctor.collectors.logs.format import DIGITS, LEVEL, Format, Sample

CONSOLE = Format(
    name="xiaozhi-console",
    opens=DIGITS,
    pattern=(
        r"(?P<stamp>[0-9]{6} [0-9]{2}:[0-9]{2}:[0-9]{2})\[[^\[\]]{1,80}\]\[(?P<logger>[^\[\]]{1,80})\]-"
        rf"{LEVEL}-"
    ),
    clock=stamps.compact,
    samples=(
        Sample(
            "260304 10:11:12[0.8.1_SiliconFunasr][core.connection]-INFO-音频服务初始化完成",
            "2026-03-04T10:11:12",
            "音频服务初始化完成",
            "INFO",
            "core.connection",
        ),
        Sample(
            "\x1b[32m260304 10:11:12\x1b[0m[0.8.1_00000000][\x1b[34mcore.providers.tts\x1b[0m]-\x1b[1mDEBUG\x1b[0m-"
            "\x1b[32mspeech - 2 of 3\x1b[0m",
            "2026-03-04T10:11:12",
            "speech - 2 of 3",
            "DEBUG",
            "core.providers.tts",
        ),
    ),
)
