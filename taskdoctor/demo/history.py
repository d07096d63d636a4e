"""What everyone said, in memory, with a checkpoint over all of it now and then."""

from __future__ import annotations

import hashlib
import logging
import re
import time

from taskdoctor.demo.levers import ServiceLevers

log = logging.getLogger(__name__)
TOKEN = re.compile(r"\w+|[^\w\s]")


class History:
    """Every message since the start; nobody ever trims it."""

    def __init__(self, levers: ServiceLevers) -> None:
        self._levers = levers
        self._messages: list[str] = []
        self._bytes = 0

    def add(self, text: str) -> None:
        self._messages.append(text)
        self._bytes += len(text)

    def import_backlog(self) -> None:
        """Take over the messages of a channel that was bridged in."""
        with self._levers.imported_messages.applied() as count:
            for number in range(int(count)):
                self.add(f"bridged message {number} from the team channel about tomorrow's plan and the open points")

    def checkpoint(self) -> None:
        """Count the tokens and the digest of everything."""
        begun_s, digest, tokens = time.monotonic(), hashlib.sha256(), 0
        for text in self._messages:
            tokens += len(TOKEN.findall(text))
            digest.update(text.encode())
        log.info(
            "history size=%d messages (%.1f MB), %d tokens, checkpoint %s took %.2fs",
            len(self._messages),
            self._bytes / 1e6,
            tokens,
            digest.hexdigest()[:8],
            time.monotonic() - begun_s,
        )
