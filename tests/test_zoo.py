"""The whole of `procs` on the whole zoo, once at full length: classes, document, replay, ending.

One test, because starting the zoo is what costs; run `python -m tests.score_processes` for the table.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from taskdoctor.collectors.processes.ending import end, identity_of
from taskdoctor.collectors.saved import read
from taskdoctor.model import Outcome, ProcessClass, Processes
from taskdoctor.renderers.document import schema
from tests.test_cli import run
from tests.zoo.environments import MissingError
from tests.zoo.keeper import Keeper
from tests.zoo.labels import Label
from tests.zoo.visit import Score, cases_here, compare, fill

pytestmark = pytest.mark.long


@pytest.mark.skipif(sys.platform != "linux", reason="the proof is Linux's")
def test_the_zoo(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own can only be entered by who made it
        _visit(Keeper(Path(folder)), tmp_path / "saved.json")


def _visit(keeper: Keeper, saved: Path) -> None:
    try:
        try:
            labels = fill(keeper, cases_here())
        except MissingError as error:
            pytest.skip(f"the MCP SDKs cannot be had: {error}")
        _look_and_end(labels, saved)
    finally:
        keeper.close()


def _look(saved: Path) -> tuple[Processes, list[dict[str, Any]]]:
    result = run("procs", "--all", "--json", "--save", str(saved))
    assert result.returncode == 1
    assert "looking again in 7 s" in result.stderr
    document = json.loads(result.stdout)
    jsonschema.validate(document, schema())
    (snapshot,) = read(saved)
    processes = snapshot.processes
    assert processes is not None
    assert processes.apart_s >= 7
    return processes, document["processes"]["items"]


LOOKS = 2  # on a full machine a process may be seen while it still comes


def _look_and_end(labels: list[Label], saved: Path) -> None:
    for _ in range(LOOKS):
        processes, items = _look(saved)
        score = Score(tuple(compare(labels, processes)))
        wrong = [sight for sight in score.sights if not sight.is_right]
        if not wrong:
            break
    assert wrong == []
    assert score.precision == 1.0
    assert score.recall >= 0.95

    classes = {item["pid"]: item["class"] for item in items}
    assert classes == {process.pid: tree.kind for tree in processes.trees for process in tree.processes}
    replayed = run("verdict", str(saved), "--json")
    assert replayed.returncode == 1
    again = json.loads(replayed.stdout)["processes"]["items"]
    assert again == [item for item in items if item["class"] != "live"]

    mine = {label.pid for label in labels if label.is_orphan}
    trees = [tree for tree in processes.trees if tree.root.pid in mine]
    ended = end(trees, patience_s=2.0)
    assert {one.pid for one in ended if one.outcome in (Outcome.ENDED, Outcome.GONE)} >= mine
    assert all(identity_of(pid) is None for pid in mine)
    others = {label.pid for label in labels if not label.is_orphan and label.wanted & {ProcessClass.LIVE}}
    assert all(identity_of(pid) is not None for pid in others)
