"""A memory-mapped index of embeddings, of which each question reads some thousand pages, all over the file."""

from __future__ import annotations

import mmap
import os
import random
import sys
import time
from pathlib import Path

from taskdoctor.demo.levers import ServiceLevers

PAGE_BYTES = 4096
BLOCK_BYTES = 2**20
READ_PAGES = 16_000
LOOK_EVERY = 256  # pages, between two looks at the clock
PATIENCE_S = 1.6  # a slow disk must not hold the service for ever


class Embeddings:
    """Kept in a file; what of it is in memory is for the kernel to decide."""

    def __init__(self, folder: str, levers: ServiceLevers) -> None:
        self._path = Path(folder, "embeddings.bin")
        self._levers = levers
        self._map: mmap.mmap | None = None
        self._file = -1
        self._order: list[int] = []

    def load(self, megabytes: int) -> None:
        """Write the file, and map it; nothing where it is left out or the system does not map like this."""
        if not megabytes or not hasattr(mmap, "MADV_RANDOM"):
            return
        block = random.Random(megabytes).randbytes(BLOCK_BYTES)
        with self._path.open("wb") as file:
            for _ in range(megabytes):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        self._file = os.open(self._path, os.O_RDONLY)
        self._map = mmap.mmap(self._file, 0, prot=mmap.PROT_READ)
        self._map.madvise(mmap.MADV_RANDOM)
        pages = list(range(0, megabytes * BLOCK_BYTES, PAGE_BYTES))
        random.Random(megabytes).shuffle(pages)
        self._order = pages[:READ_PAGES]
        self.nearest()

    def nearest(self) -> int:
        """Read what a question needs. When memory was short, the kernel has taken the pages, and reads them again."""
        if self._map is None:
            return 0
        with self._levers.reclaimed.applied() as reclaimed:
            if reclaimed:
                self._reclaim(self._map)
            return self._read(self._map)

    def _read(self, pages: mmap.mmap) -> int:
        begun_s, total = time.monotonic(), 0
        for start in range(0, len(self._order), LOOK_EVERY):
            for offset in self._order[start : start + LOOK_EVERY]:
                total += pages[offset]
            if time.monotonic() - begun_s > PATIENCE_S:
                break
        return total

    def _reclaim(self, pages: mmap.mmap) -> None:
        """What the kernel does to mapped files when memory is short, done to this one file: nothing else is short."""
        if sys.platform == "linux":
            pages.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
