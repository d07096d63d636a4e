"""README tells the truth: every console session is run, the table of causes is generated.

`UPDATE=1 python -m pytest tests/test_readme.py` rewrites the sessions and the table.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskdoctor.causes import all_causes
from taskdoctor.cli import app

ROOT = Path(__file__).parent.parent
PATH = ROOT / "README.md"
README = PATH.read_text(encoding="utf-8")
SESSIONS = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
TABLE = re.compile(r"(<!-- causes -->\n).*?(<!-- /causes -->)", re.S)


def _steps(session: str) -> Iterator[tuple[str, str]]:
    """(command, what it printed) of each `$` line."""
    for step in re.split(r"^\$ ", session, flags=re.M)[1:]:
        command, _, printed = step.partition("\n")
        yield command, printed


def _run(command: str) -> str:
    """The output as a reader of README would see it; `| head -n` is allowed, `echo $?` shows the code."""
    words = shlex.split(command)
    assert words[0] == "taskdoctor", command
    script = command.replace("taskdoctor", f"{shlex.quote(sys.executable)} -m taskdoctor", 1)
    env = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    made = subprocess.run(["bash", "-c", script], capture_output=True, cwd=ROOT, env=env, check=False, timeout=120)
    return (made.stdout + made.stderr).decode("utf-8")


@pytest.mark.parametrize("session", SESSIONS)
def test_console_session(session: str) -> None:
    real = "".join(f"$ {command}\n{_run(command)}" for command, _ in _steps(session))
    if os.environ.get("UPDATE"):
        PATH.write_text(PATH.read_text(encoding="utf-8").replace(session, real), encoding="utf-8")
        return
    assert session == real


def test_every_command_has_a_session() -> None:
    names = {command.name for command in app.registered_commands}
    shown = {shlex.split(command)[1] for session in SESSIONS for command, _ in _steps(session)}
    assert names <= shown


def _table() -> str:
    rows = "".join(f"| `{cause.id}` | {cause.title} | {cause.layer.value} |\n" for cause in all_causes())
    return f"| id | what it means | layer |\n|---|---|---|\n{rows}"


def test_table_of_causes() -> None:
    wanted = TABLE.sub(lambda match: match[1] + _table() + match[2], README)
    if os.environ.get("UPDATE"):
        text = PATH.read_text(encoding="utf-8")
        PATH.write_text(TABLE.sub(lambda match: match[1] + _table() + match[2], text), encoding="utf-8")
        return
    assert wanted == README


def test_the_first_block_is_two_commands() -> None:
    block = re.search(r"^```sh\n(.*?)^```", README, re.M | re.S)
    assert block is not None
    assert len(block[1].strip().splitlines()) == 2


def test_every_dependency_has_its_line() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.M | re.S)
    assert listed is not None
    for name in re.findall(r'"([A-Za-z_-]+)', listed[1]):
        assert f"`{name}`" in README, name
