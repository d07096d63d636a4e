"""The house: imports point one way, heavy things are imported where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "taskdoctor"

# Which top rooms each room may use; every room may use itself.
MAY: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "cli": {"commands", "errors", "renderers", "__init__"},
    "commands": {"renderers", "collectors", "diagnosis", "causes", "model", "errors", "__init__"},
    "renderers": {"model", "errors", "__init__"},
    "collectors": {"model", "errors", "chance"},
    "diagnosis": {"model"},
    "causes": {"model", "diagnosis", "chance"},
    "model": set(),
    "chance": set(),
    "errors": set(),
    "demo": {"errors"},
    "probe": set(),
}
ONLY_IN = {
    "typer": {"cli", "commands"},
    "rich": {"renderers"},
    "psutil": {"collectors", "demo"},
    "socket": {"collectors", "demo", "probe"},
    "click": set(),
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_imports_point_down() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in _imports(path)
        if name.startswith("taskdoctor.")
        and (other := name.split(".")[1]) != _room(path)
        and other not in MAY[_room(path)]
        and not (other.startswith("__") and "__init__" in MAY[_room(path)])
    ]
    assert not wrong


def test_libraries_stay_in_their_room() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in _imports(path)
        if _room(path) not in ONLY_IN.get(name.split(".")[0], {_room(path)})
    ]
    assert not wrong


def _loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("heavy", ["aiomonitor", "asyncio", "psutil", "aiohttp", "ahocorasick_rs", "isal", "zstandard"])
def test_help_imports_nothing_heavy(heavy: str) -> None:
    code = "from taskdoctor.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass"
    assert heavy not in _loaded_by(code)


def test_every_module_says_what_and_why() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_suppressed_checks_name_their_rule() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ROOT.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.rstrip().endswith(("# type: ignore", "# noqa"))
    ]
    assert not bare
