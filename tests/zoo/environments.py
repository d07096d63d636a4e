"""The SDKs that the zoo is made of, installed once into a cache of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "taskdoctor-tests"
FIRST, SECOND, OLD = "1.30.0", "2.3.0", "1.9.4"
TYPESCRIPT = "1"


class MissingError(Exception):
    """What the zoo needs is not to be had here; says why."""


def python_with(version: str) -> str:
    """An interpreter that has this version of the Python SDK."""
    folder = CACHE / f"mcp-{version}-{sys.version_info[0]}.{sys.version_info[1]}"
    binary = folder / "bin" / "python"
    if (folder / "ready").exists():
        return str(binary)
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    also = ["pydantic<2.11"] if version == OLD else []  # it reaches into what later versions do not have
    _run(str(binary), "-m", "pip", "install", "-q", f"mcp=={version}", *also)
    (folder / "ready").touch()
    return str(binary)


def uv() -> str:
    """The uv command."""
    found = shutil.which("uv")
    if found is not None:
        return found
    binary = Path(python_with(FIRST)).with_name("uv")
    if not binary.exists():
        _run(python_with(FIRST), "-m", "pip", "install", "-q", "uv")
    return str(binary)


def node_modules() -> Path:
    """The folder that holds the TypeScript SDK."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise MissingError("no node or npm here")
    folder = CACHE / "npm"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}", encoding="utf-8")
        _run(
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            f"@modelcontextprotocol/sdk@{TYPESCRIPT}",
            at=folder,
        )
        (folder / "ready").touch()
    return folder / "node_modules"


def packages() -> Path:
    """The commands of tsx and esbuild: what runs TypeScript, and what packs a program into one file."""
    folder = CACHE / "npm-tsx"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}", encoding="utf-8")
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", "tsx@4", at=folder)
        (folder / "ready").touch()
    return folder / "node_modules" / ".bin"


def _run(*command: str, at: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=at, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise MissingError(f"{command[0]} failed: {said.decode('utf-8', 'replace')[-200:].strip() or error}") from error
