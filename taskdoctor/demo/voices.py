"""Voices: the index of a remote library, and the folder of what was already spoken."""

from __future__ import annotations

import asyncio
import logging
import time
import urllib.request
import zlib
from pathlib import Path

from taskdoctor.demo.levers import ServiceLevers
from taskdoctor.demo.logs import SPAN

log = logging.getLogger(__name__)
CLIP = b"\x01\x02" * 400
SLOW_SCAN_S = 0.15


class Voices:
    """Which voice speaks, and what is in the cache already."""

    def __init__(self, work: str, upstream: str, levers: ServiceLevers) -> None:
        self._folder = Path(work, "cache")
        self._folder.mkdir(exist_ok=True)
        self._upstream = upstream
        self._levers = levers
        self._written = 0

    def refresh(self) -> None:
        """Ask the library which voices there are."""
        with self._levers.voice_fetch_s.applied() as after_s:
            if after_s:
                url = f"{self._upstream}/v1/voices?after={after_s:.2f}"
                with urllib.request.urlopen(url, timeout=20) as reply:
                    reply.read()

    def keep(self, clips: int) -> None:
        """Write clips to the cache; nobody ever deletes one."""
        for _ in range(clips):
            self._written += 1
            Path(self._folder, f"clip-{self._written:06d}.wav").write_bytes(CLIP)

    async def import_clips(self) -> None:
        """Bring in the clips of another instance."""
        with self._levers.cached_files.applied() as count:
            if count:
                await asyncio.to_thread(self.keep, int(count))

    async def find(self, text: str) -> bool:
        """Look through the whole cache for a sentence."""
        begun_s = time.monotonic()
        files, size_bytes = await asyncio.to_thread(self._scan, zlib.crc32(text.encode()))
        seconds = time.monotonic() - begun_s
        if seconds > SLOW_SCAN_S:
            log.info("cache folder scan took %.2fs (%d files, %.1f MB)", seconds, files, size_bytes / 1e6, extra=SPAN)
        return False

    def _scan(self, wanted: int) -> tuple[int, int]:
        files = size_bytes = 0
        for path in self._folder.iterdir():
            clip = path.read_bytes()
            files += 1
            size_bytes += path.stat().st_size
            if zlib.crc32(clip) == wanted:
                break
        return files, size_bytes
