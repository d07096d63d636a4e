"""Starts what lives in the zoo, finds it again, and lets nothing of it survive."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from tests.zoo.environments import node_modules

SCRIPTS = Path(__file__).parent / "scripts"
STARTERS = frozenset({"client.py", "client.mjs", "reaper.py", "once.py"})
PATIENCE_S = 60.0


class Keeper:
    """One visit: everything started through it carries its mark in the command line or below one that does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"zoo-{uuid.uuid4().hex[:12]}"
        self._started: list[subprocess.Popen[bytes]] = []
        self._known: dict[int, float] = {}
        self._held: list[int] = []
        for script in SCRIPTS.iterdir():
            if script.is_file():
                shutil.copy(script, folder)

    def script(self, name: str) -> str:
        return str(self.folder / name)

    def with_node(self) -> None:
        """The TypeScript SDK beside the scripts, and a package with a command of its own for npx."""
        modules = self.folder / "node_modules"
        package = modules / "mcp-timer"
        package.mkdir(parents=True)
        (modules / ".bin").mkdir()
        (modules / "@modelcontextprotocol").symlink_to(node_modules() / "@modelcontextprotocol")
        shutil.copy(self.script("timer.mjs"), package / "index.mjs")
        (package / "index.mjs").chmod(0o755)
        (package / "package.json").write_text('{"name": "mcp-timer", "version": "1.0.0", "bin": "index.mjs"}')
        (modules / ".bin" / "mcp-timer").symlink_to("../mcp-timer/index.mjs")
        (self.folder / "package.json").write_text(
            '{"name": "zoo", "private": true, "dependencies": {"mcp-timer": "*"}}'
        )

    def start(self, *command: str, says: str = "READY", **options: object) -> subprocess.Popen[bytes]:
        """Start something; wait until it says that word."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE if says else subprocess.DEVNULL}
        with (self.folder / "errors.txt").open("ab") as errors:
            streams = {**pipes, "stderr": errors, "cwd": self.folder, **options}
            process: subprocess.Popen[bytes] = subprocess.Popen(command, **streams)  # type: ignore[call-overload]
        self._started.append(process)
        if says:
            assert process.stdout is not None
            self.wait_for(process.stdout, says.encode())
        return process

    def wait_for(self, stream: IO[bytes], word: bytes) -> None:
        seen = b""
        limit_s = time.monotonic() + PATIENCE_S
        while word not in seen:
            left_s = limit_s - time.monotonic()
            assert left_s > 0, f"never said {word!r}: {self.errors()}"
            if select.select([stream], [], [], left_s)[0]:
                part = os.read(stream.fileno(), 4096)
                assert part, f"ended before it said {word!r}: {self.errors()}"
                seen += part

    def errors(self) -> str:
        return (self.folder / "errors.txt").read_text(encoding="utf-8", errors="replace")[-2000:]

    def client(
        self,
        python: str,
        what: str,
        *commands: Sequence[str],
        count: int = 1,
        before: Sequence[str] = (),
        says: str = "READY",
        **options: object,
    ) -> subprocess.Popen[bytes]:
        """A Python client with servers."""
        words = [word for command in commands for word in ("--", *command)]
        return self.start(*before, python, self.script("client.py"), what, str(count), *words, says=says, **options)

    def node_client(self, what: str, *commands: Sequence[str], count: int = 1) -> subprocess.Popen[bytes]:
        words = [word for command in commands for word in ("--", *command)]
        says = "CLOSED" if what == "close" else "READY"
        return self.start("node", self.script("client.mjs"), what, str(count), *words, says=says)

    def sign(self, name: str) -> str:
        """A word by which a process is found again."""
        return f"--{self.mark}-{name}"

    def find(self, name: str, *, count: int = 1, program: str = "") -> list[int]:
        """The processes that carry a sign, clients aside; waits until there are so many."""
        sign = self.sign(name)

        def found() -> list[int]:
            return [
                process.pid
                for process in psutil.process_iter(["cmdline"])
                for words in [process.info["cmdline"] or []]
                if any(sign in word for word in words)
                and not any(Path(word).name in STARTERS for word in words[:3])
                and (program in words[0] if program else True)
            ]

        self.until(lambda: len(found()) >= count, f"{count} x {name}")
        return sorted(found())

    def hold(self, descriptor: int) -> None:
        """Keep a descriptor open as long as the visit."""
        self._held.append(descriptor)

    def until(self, happened: Callable[[], bool], what: str) -> None:
        limit_s = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < limit_s, f"never happened: {what}"
            time.sleep(0.05)

    def remember(self) -> None:
        """Everything below what was started, before anything is killed and its children lose their parent."""
        for process in self._started:
            try:
                below = psutil.Process(process.pid).children(recursive=True)
            except psutil.Error:
                continue
            self._known |= {child.pid: child.create_time() for child in below if child.is_running()}

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a client as a crash does."""
        self.remember()
        process.kill()
        process.wait()

    def close(self) -> None:
        """End everything that was started, by pid and start time, or by the mark."""
        self.remember()
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        for descriptor in self._held:
            os.close(descriptor)
        for process_ in psutil.process_iter(["cmdline", "create_time"]):
            known_s = self._known.get(process_.pid)
            same = known_s is not None and abs(known_s - (process_.info["create_time"] or 0.0)) < 0.05
            marked = any(self.mark in word or str(self.folder) in word for word in process_.info["cmdline"] or [])
            if (same or marked) and process_.pid != os.getpid() and process_.pid != os.getppid():
                _end(process_)


def _end(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.Error:
        return
