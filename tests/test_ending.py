"""Ending: only what these tests have started, only when it is an orphan, only when it is still the same."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from taskdoctor.causes import all_causes
from taskdoctor.collectors.processes.ending import Identity, InterruptedEnding, end, identity_of
from taskdoctor.commands.cleaning import clean_up
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Outcome, ProcessClass, ProcessTree
from tests.test_cli import run
from tests.test_leftovers import table
from tests.test_processes import kind_of, left, quiet_server, seen, tree_of
from tests.zoo.keeper import Keeper

EVERYBODYS_PYTHON = "/usr/bin/python3"  # that of the tests may lie where only root can go
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is ended elsewhere")


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    one = Keeper(tmp_path)
    try:
        yield one
    finally:
        one.close()


def orphan(keeper: Keeper, *command: str) -> tuple[subprocess.Popen[bytes], ProcessTree]:
    process = left(keeper, *(command or (sys.executable, quiet_server(keeper))))
    keeper.until(lambda: kind_of(seen(), process.pid) is ProcessClass.ORPHAN, "an orphan")
    tree = tree_of(seen(), process.pid)
    assert tree is not None
    return process, tree


def test_an_orphan_ends(keeper: Keeper) -> None:
    process, tree = orphan(keeper)
    (one,) = end([tree])
    assert (one.pid, one.outcome, one.why) == (process.pid, Outcome.ENDED, "SIGTERM")
    assert one.rss_bytes > 0
    assert process.wait() == -15


def test_the_leaf_is_ended_before_its_wrapper(keeper: Keeper) -> None:
    line = f"{sys.executable} {quiet_server(keeper)}; true"
    process, tree = orphan(keeper, "sh", "-c", line)
    leaf = tree.processes[-1].pid
    assert [one.pid for one in end([tree])] == [leaf, process.pid]
    assert identity_of(leaf) is None


def deaf_orphan(keeper: Keeper) -> tuple[subprocess.Popen[bytes], ProcessTree]:
    path = keeper.folder / "deaf_server.py"
    text = Path(quiet_server(keeper)).read_text(encoding="utf-8")
    path.write_text(f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('up', 'w')\n{text}")
    process = left(keeper, sys.executable, str(path))
    keeper.until((keeper.folder / "up").exists, "deaf")
    keeper.until(lambda: kind_of(seen(), process.pid) is ProcessClass.ORPHAN, "an orphan")
    tree = tree_of(seen(), process.pid)
    assert tree is not None
    return process, tree


def stop(keeper: Keeper, pid: int) -> None:
    psutil.Process(pid).suspend()
    keeper.until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "stopped")


def test_who_is_deaf_to_term_is_killed(keeper: Keeper) -> None:
    process, tree = deaf_orphan(keeper)
    (one,) = end([tree], patience_s=0.3)
    assert (one.outcome, one.why) == (Outcome.ENDED, "SIGKILL")
    assert process.wait() == -9


def test_who_is_stopped_after_term_is_not_killed(keeper: Keeper) -> None:
    """Somebody looks at it by now: the evidence is looked at again before the second signal too."""
    process, tree = deaf_orphan(keeper)
    looks = 0

    def stopped_before_the_second(pid: int) -> Identity | None:
        nonlocal looks
        looks += 1
        if looks == 2:
            stop(keeper, pid)
        return identity_of(pid)

    (one,) = end([tree], identify=stopped_before_the_second, patience_s=0.3)
    assert one.outcome is Outcome.KEPT
    assert "stopped" in one.why
    assert process.poll() is None


def test_a_number_used_again_is_not_touched(keeper: Keeper) -> None:
    """The look right before the signal finds another start: no signal, neither the gentle nor the other."""
    process, tree = orphan(keeper)

    def somebody_else(pid: int) -> Identity | None:
        found = identity_of(pid)
        return replace(found, start_ticks=found.start_ticks + 1) if found is not None else None

    (one,) = end([tree], identify=somebody_else)
    assert one.outcome is Outcome.KEPT
    assert process.poll() is None


def test_a_tree_that_was_replaced_since_the_plan_is_not_touched(keeper: Keeper) -> None:
    process, tree = orphan(keeper)
    root = replace(tree.root, start_ticks=tree.root.start_ticks - 1)
    (one,) = end([replace(tree, processes=(root,))])
    assert one.outcome is Outcome.GONE
    assert process.poll() is None


def test_what_is_no_orphan_any_more_is_kept(keeper: Keeper) -> None:
    process, tree = orphan(keeper)
    stop(keeper, process.pid)
    (one,) = end([tree])
    assert one.outcome is Outcome.KEPT
    assert process.poll() is None


@pytest.mark.parametrize("kind", [kind for kind in ProcessClass if kind is not ProcessClass.ORPHAN])
def test_other_classes_are_never_ended(keeper: Keeper, kind: ProcessClass) -> None:
    process, tree = orphan(keeper)
    assert end([replace(tree, kind=kind)]) == ()
    assert process.poll() is None


def test_the_living_are_not_ended_whatever_the_plan_says(keeper: Keeper) -> None:
    process = keeper.start(sys.executable, quiet_server(keeper), says="", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tree = tree_of(seen(), process.pid)
    assert tree is not None
    (one,) = end([replace(tree, kind=ProcessClass.ORPHAN)])
    assert one.outcome is Outcome.KEPT
    assert process.poll() is None


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(EVERYBODYS_PYTHON, os.X_OK), reason="needs a second user, and a Python for both"
)
def test_another_users_are_kept(keeper: Keeper) -> None:
    keeper.folder.chmod(0o755)
    process = left(keeper, "setpriv", "--reuid=65534", "--clear-groups", EVERYBODYS_PYTHON, "-c", _script(keeper))
    keeper.until(lambda: psutil.Process(process.pid).uids().real == 65534, "another user")
    tree = tree_of(seen(), process.pid)
    assert tree is not None
    assert tree.kind is ProcessClass.SUSPECT
    (one,) = end([replace(tree, kind=ProcessClass.ORPHAN)])
    assert one.outcome is Outcome.KEPT
    assert process.poll() is None


def _script(keeper: Keeper) -> str:
    return Path(quiet_server(keeper)).read_text(encoding="utf-8")


def test_ctrl_c_between_two_signals_sends_no_further_one(keeper: Keeper) -> None:
    process, tree = deaf_orphan(keeper)
    looks = 0

    def interrupted_before_the_second(pid: int) -> Identity | None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise KeyboardInterrupt
        return identity_of(pid)

    with pytest.raises(InterruptedEnding) as stopped:
        end([tree], identify=interrupted_before_the_second, patience_s=0.3)
    (one,) = stopped.value.ended
    assert (one.outcome, one.why) == (Outcome.KEPT, "interrupted: it got SIGTERM and no more")
    assert process.poll() is None


class Answers:
    """A person at the question, who presses Ctrl-C instead of an answer."""

    def readline(self) -> str:
        raise KeyboardInterrupt


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    ("answers", "interrupted"),
    [
        (None, False),
        (io.StringIO(""), False),
        (io.StringIO("n\n"), False),
        (io.StringIO("\n"), False),
        (io.StringIO("yess\n"), False),
        (_closed(), False),
        (Answers(), True),
    ],
)
def test_without_a_yes_nothing_is_ended(
    keeper: Keeper,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: io.StringIO | Answers | None,
    interrupted: bool,
) -> None:
    process, tree = orphan(keeper)
    monkeypatch.setattr(sys, "stdin", answers)
    verdict, stopped = clean_up(judge([table(tree)], all_causes()), ask=True)
    assert stopped is interrupted
    assert verdict.report.ended == ()
    assert process.poll() is None
    told = capsys.readouterr()
    assert told.out == ""
    assert "End 1 process? [y/N]" in told.err
    assert "nothing was ended" in told.err


def test_a_yes_ends_what_the_plan_shows(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process, tree = orphan(keeper)
    other, _ = orphan(keeper)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Y\n"))
    verdict, stopped = clean_up(judge([table(tree)], all_causes()), ask=True)
    assert not stopped
    assert [(one.pid, one.outcome) for one in verdict.report.ended] == [(process.pid, Outcome.ENDED)]
    assert str(process.pid) in capsys.readouterr().err
    assert other.poll() is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clean", "--quick"], "--clean needs the proof"),
        (["--yes"], "--yes goes with --clean"),
        (["--of", "x"], "neither a pid nor a port"),
        (["--of", "999999999"], "no process of that number"),
        (["--config", "no-such.json"], "no MCP servers in it"),
        (["--log", "no-such.log"], "no such file"),
    ],
)
def test_a_wrong_input_is_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = run("procs", *arguments, cwd=tmp_path)
    assert result.returncode in (2, 3)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
