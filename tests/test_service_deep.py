"""`--deep`: the frame that holds the interpreter itself, from a service that is whole again afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from taskdoctor.probe.deep import stacks_in
from tests.services import attach, running

pytestmark = pytest.mark.long

THREAD = 0x7F31A2B3C740
DUMPS = {
    "3.11": """Timeout (0:00:00.250000)!
Thread 0x00007f31a1fff6c0 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
Thread 0x00007f31a2b3c740 (most recent call first):
  File "/srv/app/chat.py", line 88 in reply
  File "/srv/app/main.py", line ??? in <module>
Timeout (0:00:00.250000)!
Thread 0x00007f31a2b3c740 (most recent call first):
  File "/srv/app/chat.py", line 90 in reply
""",
    "3.14": """Timeout (0:00:00.250000)!
Thread 0x00007f31a1fff6c0 [monitor] (most recent call first):
  File "/usr/lib/python3.14/selectors.py", line 468 in select
Thread 0x00007f31a2b3c740 [service] (most recent call first):
  Garbage-collecting
  File "/srv/app/chat.py", line 88 in reply
  File "/srv/app/main.py", line 3 in <module>
""",
    "cut off": """Timeout (0:00:00.250000)!
Thread 0x00007f31a2b3c740 (most recent call first):
  File "/srv/app/chat.py", line 88 in reply
  File "/srv/app/ma""",
}


@pytest.mark.parametrize("version", DUMPS)
def test_dump_is_read(version: str) -> None:
    first = stacks_in(DUMPS[version], THREAD)[0]
    assert first[-1] == ("/srv/app/chat.py", 88, "reply", "reply")


def test_each_strike_is_a_stack() -> None:
    assert [stack[-1][1] for stack in stacks_in(DUMPS["3.11"], THREAD)] == [88, 90]
    assert stacks_in(DUMPS["3.11"], THREAD)[0][0][1] == 0


def test_thread_that_is_not_in_it() -> None:
    assert stacks_in(DUMPS["3.11"], 7) == [(), ()]
    assert stacks_in("no dump at all\n", THREAD) == []


def _inside(path: Path) -> dict[str, Any]:
    time.sleep(0.5)  # it is written every tenth of a second
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("loop", [(), ("uvloop",)], ids=["asyncio", "uvloop"])
def test_held_interpreter_is_named_and_nothing_stays(loop: tuple[str, ...], tmp_path: Path) -> None:
    if loop:
        pytest.importorskip("uvloop")
    path = tmp_path / "inside.json"
    with running("native", f"inspect={path}", *loop) as service:
        attach(service.address, "-d", "1s", "--deep")  # what a first client makes the monitor itself import stays
        before = _inside(path)
        run = attach(service.address, "--json", "--deep", "-d", "2s")
        after = _inside(path)
    assert "watchdog" in run.stderr
    stacks = json.loads(run.stdout)["blocked"]
    named = [stack for stack in stacks if stack["reading"] == "gil-held" and "target_service.py" in stack["site"]]
    assert sum(stack["count"] for stack in named) >= 1
    assert all("in native" in stack["frames"][0] for stack in named)
    assert after == before
    assert service.lines == []
