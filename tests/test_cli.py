"""The command line as a user meets it: one clear sentence, the right exit code, never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from taskdoctor.causes import get
from taskdoctor.renderers.document import schema

GC_LOG = next(example.log for example in get("gc-pause").examples if example.wins)


def run(
    *arguments: str, stdin: bytes | None = None, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    made = subprocess.run(
        [sys.executable, "-m", "taskdoctor", *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **env},
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(
        made.args, made.returncode, made.stdout.decode("utf-8"), made.stderr.decode("utf-8", "replace")
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_text(GC_LOG, encoding="utf-8")
    return path


def test_a_log_gets_a_verdict_and_an_exit_code(log: Path) -> None:
    result = run("logs", str(log))
    assert result.returncode == 1
    assert "gc-pause" in result.stdout
    assert "server.log:" in result.stdout
    assert "\x1b" not in result.stdout
    assert result.stderr == ""
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_json_is_one_valid_document(log: Path) -> None:
    result = run("logs", str(log), "--json")
    document = json.loads(result.stdout)
    jsonschema.validate(document, schema())
    causes = document["verdict"]["causes"]
    assert causes[0]["cause"] == "gc-pause"
    total = sum(cause["probability"] for cause in causes) + document["verdict"]["unexplained_probability"]
    assert total == pytest.approx(1.0, abs=0.01)


def test_stdin(log: Path) -> None:
    assert run("logs", "-", stdin=log.read_bytes()).returncode == 1


def test_exit_zero(log: Path) -> None:
    assert run("logs", str(log), "--exit-zero").returncode == 0


def test_saved_and_judged_again(log: Path, tmp_path: Path) -> None:
    saved = tmp_path / "incident.json"
    first = run("logs", str(log), "--json", "--save", str(saved))
    again = run("verdict", str(saved), "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["verdict"] == json.loads(first.stdout)["verdict"]


def test_since_and_until(log: Path) -> None:
    document = json.loads(run("logs", str(log), "--json", "--since", "10:02:00").stdout)
    assert document["window"]["start"] >= "2026-03-04T10:02:00"
    assert run("logs", str(log), "--since", "yesterdayish").returncode == 2
    assert run("logs", str(log), "--since", "11:00", "--until", "10:00").returncode == 2


def test_own_pattern_makes_an_operation(tmp_path: Path) -> None:
    path = tmp_path / "own.log"
    lines = [
        f"2026-03-04 10:{i:02d}:00.000 INFO frobnication {i} => {9.5 if i % 8 == 7 else 1.0} units" for i in range(40)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    document = json.loads(run("logs", str(path), "--json", "--pattern", r"frob==> (?P<seconds>[\d.]+) units").stdout)
    assert [o["name"] for o in document["operations"]] == ["frob"]
    assert document["operations"][0]["count"] == 40


def test_patterns_from_a_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "taskdoctor.toml").write_text("[patterns]\nfrob = '=> (?P<seconds>[\\d.]+) units'\n", encoding="utf-8")
    (tmp_path / "own.log").write_text(
        "\n".join(f"2026-03-04 10:{i:02d}:00.000 INFO x => 1.0 units" for i in range(20)), encoding="utf-8"
    )
    document = json.loads(run("logs", "own.log", "--json", cwd=tmp_path).stdout)
    assert document["operations"][0]["name"] == "frob"


@pytest.mark.parametrize("pattern", ["x=(a+)+b(?P<seconds>1)", "x=no value", "x=(", "nonsense", r"x=(?P<seconds>\d)\1"])
def test_bad_patterns_are_refused_with_a_sentence(log: Path, pattern: str) -> None:
    result = run("logs", str(log), "--pattern", pattern)
    assert result.returncode == 2
    assert result.stderr
    assert "Traceback" not in result.stderr


def _bad_inputs(folder: Path) -> dict[str, tuple[Path, int]]:
    """Name -> (path, exit code that is expected)."""
    (folder / "empty.log").write_bytes(b"")
    (folder / "no-logs").mkdir()
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    (folder / "cut.log.gz").write_bytes(gzip.compress(GC_LOG.encode() * 20)[:-400])
    (folder / "garbage.log.gz").write_bytes(b"\x1f\x8b" + random.Random(1).randbytes(4000))
    (folder / "stampless.log").write_text("nothing here\nhas a stamp\n" * 50, encoding="utf-8")
    (folder / "one-event.log").write_text(GC_LOG.splitlines()[0] + "\n", encoding="utf-8")
    (folder / "backwards.log").write_text("\n".join(reversed(GC_LOG.splitlines())), encoding="utf-8")
    (folder / "long-line.log").write_bytes(b"2026-03-04 10:00:00.000 INFO " + b"x" * 3_000_000)
    hostile = GC_LOG.replace("Conversation", "\x1b]0;owned\x07\x1b[31m[bold]Conversation[/bold]\x1b[0m", 3)
    (folder / "hostile.log").write_text(hostile, encoding="utf-8")
    (folder / "noise.log").write_bytes(random.Random(2).randbytes(50_000).replace(b"\0", b"\n"))
    return {
        "missing": (folder / "missing.log", 3),
        "folder without logs": (folder / "no-logs", 3),
        "binary": (folder / "picture.png", 3),
        "garbage gz": (folder / "garbage.log.gz", 3),
        "empty": (folder / "empty.log", 4),
        "cut gz": (folder / "cut.log.gz", 1),
        "stampless": (folder / "stampless.log", 4),
        "one event": (folder / "one-event.log", 4),
        "backwards": (folder / "backwards.log", 1),
        "long line": (folder / "long-line.log", 4),
        "hostile": (folder / "hostile.log", 1),
    }


NAMES = [
    "missing",
    "folder without logs",
    "binary",
    "garbage gz",
    "empty",
    "cut gz",
    "stampless",
    "one event",
    "backwards",
    "long line",
    "hostile",
]


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(name: str, tmp_path: Path) -> None:
    path, code = _bad_inputs(tmp_path)[name]
    result = run("logs", str(path))
    assert "Traceback" not in result.stderr + result.stdout
    assert "\x1b" not in result.stdout
    assert result.returncode == code, result.stdout + result.stderr
    if code == 3:
        assert len(result.stderr.splitlines()) <= 2


def test_a_bad_file_beside_a_good_one_is_a_warning(log: Path) -> None:
    result = run("logs", str(log), str(log.parent / "missing.log"), "--json")
    assert result.returncode == 1
    assert "missing.log" in result.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(log: Path) -> None:
    log.chmod(0)
    assert run("logs", str(log)).returncode == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk(log: Path) -> None:
    result = run("logs", str(log), "--save", "/dev/full")
    assert result.returncode == 3
    assert "Traceback" not in result.stderr


def test_usage_errors(log: Path) -> None:
    assert run("logs").returncode == 2
    assert run("nonsense").returncode == 2
    assert run("logs", str(log), "--nonsense").returncode == 2
    assert run("logs", str(log), "--slow", "soon").returncode == 2


def test_explain() -> None:
    page = run("explain", "gc-pause")
    assert page.returncode == 0
    assert "gc.freeze" in page.stdout
    assert run("explain").stdout.count("\n") == 21
    wrong = run("explain", "gc-paus")
    assert wrong.returncode == 2
    assert "gc-pause" in wrong.stderr


def test_a_reader_that_leaves_is_no_error(log: Path) -> None:
    command = f"{sys.executable} -m taskdoctor logs {log} -v | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


def test_verdict_refuses_what_is_no_snapshot(log: Path) -> None:
    result = run("verdict", str(log))
    assert result.returncode == 3
    assert "--save" in result.stderr


def test_follow_gives_the_verdict_at_ctrl_c(log: Path) -> None:
    text = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(text[:10]), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "taskdoctor", "logs", "-f", str(log), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(0.5)
    with log.open("a", encoding="utf-8") as out:
        out.writelines(text[10:])
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out_text, _ = process.communicate(timeout=20)
    assert json.loads(out_text)["verdict"]["causes"][0]["cause"] == "gc-pause"
    assert process.returncode == 1
