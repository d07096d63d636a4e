"""Small files per session: the profile that is written after each turn, and the attachments that a turn reads."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import BinaryIO

from taskdoctor.demo.levers import ServiceLevers

log = logging.getLogger(__name__)


class Profiles:
    """Files of the sessions in one folder."""

    def __init__(self, work: str, levers: ServiceLevers) -> None:
        self._folder = Path(work, "profiles")
        self._folder.mkdir(exist_ok=True)
        self._levers = levers
        self._open: list[BinaryIO] = []
        self._attachment = Path(self._folder, "attachment.bin")
        self._attachment.write_bytes(b"\0" * 512)

    def save_profile(self, session: str, turns: int) -> None:
        """Write the profile of a session."""
        path = Path(self._folder, f"{session}.json")
        with self._levers.profile_disk_s.applied() as disk_s:
            if disk_s:  # the share does not answer at once
                time.sleep(disk_s)
            path.write_text(json.dumps({"session": session, "turns": turns}), encoding="utf-8")

    def read_attachments(self) -> None:
        """Read what the user sent along."""
        kept = int(self._levers.kept_handles.amount)
        for _ in range(kept or 1):
            attachment = self._attachment.open("rb")
            self._open.append(attachment)
            attachment.read()
        if not kept:
            self._open.pop().close()

    def close_idle(self) -> None:
        """Close what a turn forgot."""
        if self._levers.kept_handles.amount or not self._open:
            return
        log.info("Sweeper: closed %d idle attachment handles", len(self._open))
        while self._open:
            self._open.pop().close()
