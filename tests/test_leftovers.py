"""What a process table means: its verdict, its page, its place beside a log; macOS and Windows from fixtures."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from taskdoctor.causes import all_causes
from taskdoctor.collectors.processes.channel import End
from taskdoctor.collectors.processes.elsewhere import Facts, collect_elsewhere, end_of, judge, parse_lsof
from taskdoctor.collectors.processes.table import Row
from taskdoctor.collectors.saved import is_snapshot, read, write
from taskdoctor.diagnosis.verdict import judge as judge_all
from taskdoctor.errors import UnreadableError
from taskdoctor.model import (
    Ended,
    Event,
    Form,
    Grade,
    Harm,
    Lane,
    Outcome,
    Place,
    Process,
    ProcessClass,
    Processes,
    ProcessTree,
    ServiceProcess,
    Severity,
    Sign,
    Snapshot,
    Source,
    Status,
)
from taskdoctor.renderers.document import dumps, schema
from taskdoctor.renderers.screen.glyphs import ASCII
from taskdoctor.renderers.terminal import render, render_processes
from tests.samples_of_verdicts import HOSTILE

AT_S = 1_772_619_072.0
GB = 1_000_000_000


def tree(
    kind: ProcessClass = ProcessClass.ORPHAN,
    pid: int = 4711,
    *,
    started_s: float = AT_S - 600,
    harm: Harm | None = None,
    label: str = "mcp-server-time",
    words: str = "node server.js",
    launch: str = "npx",
    parents: tuple[int, ...] = (1,),
) -> ProcessTree:
    takes = harm or Harm(60_000_000, 0.0)
    process = Process(pid, "node", words, parents, started_s, int(started_s), "me", takes)
    child = replace(process, pid=pid + 1, parents=(pid, *parents), harm=Harm(1, 0.0))
    sign = Sign(f"its stdin has no other end {words}", f"/proc/{pid}/fd/0", "ss -xp")
    return ProcessTree(kind, label, (process, child), (sign,), (), takes, "time in ~/.mcp.json", words, None, launch)


def table(*trees: ProcessTree, **more: object) -> Snapshot:
    known = {"memory_bytes": 8 * GB, "cores": 2, "apart_s": 7.0, **more}
    processes = Processes(AT_S, "linux", proven=True, scanned=300, trees=trees, **known)  # type: ignore[arg-type]
    return Snapshot("processes", (), processes=processes)


def log(*events: Event, seconds: float = 900.0) -> Snapshot:
    source = Source("server.log", 1000, 100, first_s=AT_S - seconds, last_s=AT_S, resolution_s=0.001)
    return Snapshot("logs", (source,), events)


def event(form: Form, at_s: float, kind: str, lane: Lane = Lane.CHILDREN, **more: object) -> Event:
    return Event(at_s, kind, lane, form, Place("server.log", 12), **more)  # type: ignore[arg-type]


# --- alone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ((), Status.HEALTHY),
        (("live", "retained", "zombie"), Status.HEALTHY),
        (("suspect",), Status.INSUFFICIENT),
        (("helper", "live"), Status.INSUFFICIENT),
        (("unknown",), Status.INSUFFICIENT),
        (("live", "suspect", "orphan"), Status.STALLS_FOUND),
    ],
)
def test_the_status_of_a_table(kinds: tuple[str, ...], status: Status) -> None:
    trees = [tree(ProcessClass(kind), 100 + at) for at, kind in enumerate(kinds)]
    verdict = judge_all([table(*trees)], all_causes())
    assert verdict.status is status
    assert verdict.findings == ()


def test_an_idle_orphan_is_a_low_risk_and_a_spinning_one_a_high_one() -> None:
    idle = judge_all([table(tree())], all_causes()).risks
    assert [(risk.cause, risk.severity, risk.leads_to) for risk in idle] == [("orphan-processes", Severity.LOW, ())]
    spinning = judge_all([table(tree(harm=Harm(2 * GB, 1.0, (), ("/srv/notes.db",))))], all_causes()).risks
    assert spinning[0].severity is Severity.HIGH
    assert spinning[0].leads_to == ("memory-pressure", "cpu-starvation", "lock-contention")


def test_the_prevention_fits_how_it_was_started() -> None:
    launches = ("npx", "uv", "shell", "node", "python", "container", "windows", "direct")
    trees = [tree(pid=100 + 2 * at, launch=launch) for at, launch in enumerate(launches)]
    risks = judge_all([table(*trees)], all_causes()).risks
    assert len({risk.fix.summary for risk in risks}) == len(launches)
    assert all(risk.fix.before.strip() and risk.fix.after.strip() for risk in risks)
    page = render_processes(judge_all([table(*trees)], all_causes()), width=80, color=False, verbose=True)
    for words in ("PR_SET_PDEATHSIG", "KILL_ON_JOB_CLOSE", "killpg", 'process.stdin.on("end"', "docker", "exec node"):
        assert words in page


# --- beside a log -----------------------------------------------------------------------------------------------


def test_sessions_never_closed_find_their_processes() -> None:
    opened = [event(Form.OPEN, AT_S - 600, "client-opened", pair="client", label="MCP client", key="1")]
    verdict = judge_all([log(*opened), table(tree(), tree(pid=900, started_s=AT_S - 10))], all_causes())
    (one,) = verdict.report.unclosed
    assert one.pids == (4711,)
    assert "never closed" in one.text


def test_sessions_that_are_still_open_are_no_leftovers() -> None:
    opened = [
        event(Form.OPEN, AT_S - 600, "client-opened", pair="client", key="1"),
        event(Form.OPEN, AT_S - 601, "session", Lane.SESSIONS, pair="session", key="1"),
    ]
    verdict = judge_all([log(*opened), table(tree(ProcessClass.LIVE))], all_causes())
    assert verdict.report.unclosed == ()


def test_closed_with_active_connections_while_the_children_live_on() -> None:
    """What this began with: four servers of a session that the log has closed, under a service that lives."""
    closing = event(Form.LEVEL, AT_S - 60, "mcp-connections-at-close", value=4.0)
    mine = [tree(ProcessClass.LIVE, 10 + 2 * at, parents=(5, 1), label=f"server {at}") for at in range(4)]
    later = tree(ProcessClass.LIVE, 90, started_s=AT_S - 5, parents=(5, 1))
    others = tree(ProcessClass.LIVE, 80, parents=(6, 1))
    verdict = judge_all(
        [log(closing), table(*mine, later, others, service=ServiceProcess(5, "python server.py", 0))], all_causes()
    )
    (one,) = verdict.report.unclosed
    assert one.pids == (10, 12, 14, 16)
    processes = verdict.report.processes
    assert processes is not None
    assert [t.kind.value for t in processes.trees] == ["retained"] * 4 + ["live"] * 2


def test_a_log_in_local_time_is_put_on_the_clock_of_the_machine() -> None:
    opened = event(Form.OPEN, AT_S - 600 + 7200, "client-opened", pair="client", key="1")
    verdict = judge_all([log(opened), table(tree(), utc_offset_s=7200.0)], all_causes())
    assert [one.pids for one in verdict.report.unclosed] == [(4711,)]


def test_a_line_that_names_a_process_is_joined_with_it() -> None:
    said = event(Form.MARK, AT_S - 30, "mcp-server-survived-kill", key="4711")
    verdict = judge_all([log(said), table(tree())], all_causes())
    assert [one.pids for one in verdict.report.unclosed] == [(4711,)]


def _waits() -> list[Event]:
    """Turns of a second, every fifth of them late for a lock of the database."""
    events = []
    for at in range(80):
        end_s = AT_S - 880 + 10 * at
        late_s = 4.0 if at % 5 == 4 else 0.0
        events.append(event(Form.SPAN, end_s, "conversation", Lane.OPERATION, seconds=1.0 + late_s + at % 3 / 50))
        if late_s:
            events.append(event(Form.SPAN, end_s - 0.5, "database-locked", Lane.LOCK, seconds=late_s))
    return sorted(events, key=lambda one: one.at_s)


def test_a_database_that_an_orphan_holds_makes_it_the_head_of_the_chain() -> None:
    path = ("/srv/app/notes.db",)
    open_, holding, young = (
        tree(harm=Harm(60_000_000, 0.0, (), path), started_s=AT_S - 2000),
        tree(harm=Harm(60_000_000, 0.0, (), path, held=path), started_s=AT_S - 2000),
        tree(harm=Harm(60_000_000, 0.0, (), path, held=path), started_s=AT_S - 5),
    )
    owners = [judge_all([log(*_waits()), *more], all_causes()).findings[0].cause for more in ([], [table(tree())],
        [table(open_)], [table(young)])]  # fmt: skip
    assert owners == ["lock-contention"] * 4
    held = judge_all([log(*_waits()), table(holding)], all_causes())
    assert held.findings[0].cause == "orphan-processes"
    assert "keeps others out of notes.db" in held.findings[0].evidence[0].text


def test_a_database_that_the_log_names_need_only_be_open() -> None:
    named = [replace(e, label="/srv/app/notes.db") if e.lane is Lane.LOCK else e for e in _waits()]
    journal = tree(harm=Harm(60_000_000, 0.0, (), ("/srv/app/notes.db-wal",)), started_s=AT_S - 2000)
    other = tree(harm=Harm(60_000_000, 0.0, (), ("/srv/app/cache.db",)), started_s=AT_S - 2000)
    assert judge_all([log(*named), table(journal)], all_causes()).findings[0].cause == "orphan-processes"
    assert judge_all([log(*named), table(other)], all_causes()).findings[0].cause == "lock-contention"


def test_a_refused_lock_at_the_end_of_a_late_turn_is_the_holders() -> None:
    refused = [replace(e, form=Form.MARK, seconds=None, label="database is locked") if e.lane is Lane.LOCK else e
               for e in _waits()]  # fmt: skip
    path = ("/srv/app/notes.db",)
    holding = tree(harm=Harm(60_000_000, 0.0, (), path, held=path), started_s=AT_S - 2000)
    assert "orphan-processes" in _shares(log(*refused), table(holding))
    assert "orphan-processes" not in _shares(log(*refused), table(tree()))


def _short(lane: Lane, label: str) -> list[Event]:
    """Turns of a second, every fifth of them late for want of CPU or memory, as the kernel measured it."""
    events = []
    for event in _waits():
        lost = replace(event, kind=f"live-{lane}", lane=lane, label=label, place=Place("kernel"))
        events.append(lost if event.lane is Lane.LOCK else event)
    return events


def _shares(*snapshots: Snapshot) -> dict[str, float]:
    verdict = judge_all(list(snapshots), all_causes())
    return {finding.cause: round(finding.blame_share, 2) for finding in verdict.findings}


def test_an_orphan_that_spins_owns_its_part_of_a_shortage_of_cpu() -> None:
    """Of two cores the service takes one at most: the other is the orphan's. Of eight it is one of seven."""
    starved = log(*_short(Lane.NOT_SCHEDULED, "runnable, but other work had the CPU"))
    spinning = tree(harm=Harm(60_000_000, 1.0, cpu_s=5000.0), started_s=AT_S - 6000)
    found = _shares(starved, table(spinning))
    assert found["orphan-processes"] > 0.7
    assert 0.0 < found["cpu-starvation"] < 0.3
    verdict = judge_all([starved, table(spinning)], all_causes())
    assert verdict.findings[0].cause == "orphan-processes"
    assert "cpu-starvation" in verdict.findings[0].leads_to
    assert "spun on 1.0 of 2 cores" in verdict.findings[0].evidence[0].text
    assert verdict.findings[0].evidence[0].grade is Grade.INFERRED
    assert "orphan-processes" not in _shares(starved, table(spinning, cores=8))
    few = [tree(pid=100 + 10 * at, harm=Harm(1, 0.3, cpu_s=5000.0), started_s=AT_S - 6000) for at in range(3)]
    assert _shares(starved, table(*few))["orphan-processes"] > 0.7  # a full machine gives each its part
    assert "orphan-processes" not in _shares(starved, table(few[0], cores=3))


def test_who_began_to_spin_after_the_stalls_owns_nothing_of_them() -> None:
    starved = log(*_short(Lane.NOT_SCHEDULED, "runnable, but other work had the CPU"))
    late = tree(harm=Harm(60_000_000, 1.0, cpu_s=3.0), started_s=AT_S - 6000)
    assert "orphan-processes" not in _shares(starved, table(late))
    suspect = tree(ProcessClass.SUSPECT, harm=Harm(60_000_000, 1.0, cpu_s=5000.0), started_s=AT_S - 6000)
    assert "orphan-processes" not in _shares(starved, table(suspect))
    held = log(*_short(Lane.BLOCKING, "time.sleep"))
    spinning = tree(harm=Harm(60_000_000, 1.0, cpu_s=5000.0), started_s=AT_S - 6000)
    assert "orphan-processes" not in _shares(held, table(spinning))


def test_orphans_own_their_part_of_a_shortage_of_memory() -> None:
    short = log(*_short(Lane.MEMORY, "pages read back from disk"))
    large = tree(harm=Harm(3 * GB), started_s=AT_S - 6000)
    assert _shares(short, table(large, available_bytes=GB))["orphan-processes"] == 0.75
    assert "orphan-processes" not in _shares(short, table(large, available_bytes=20 * GB, memory_bytes=64 * GB))
    assert "orphan-processes" not in _shares(short, table(tree(harm=Harm(GB // 10), started_s=AT_S - 6000)))
    young = tree(harm=Harm(3 * GB), started_s=AT_S - 5)
    assert "orphan-processes" not in _shares(short, table(young, available_bytes=GB))


def test_claims_of_a_saved_table_are_the_same(tmp_path: Path) -> None:
    starved = log(*_short(Lane.NOT_SCHEDULED, "runnable, but other work had the CPU"))
    spinning = tree(harm=Harm(60_000_000, 1.0, cpu_s=5000.0, held=("x.db",)), started_s=AT_S - 6000)
    write([starved, table(spinning, available_bytes=GB)], tmp_path / "saved.json")
    assert read(tmp_path / "saved.json") == [starved, table(spinning, available_bytes=GB)]
    assert "orphan-processes" in _shares(*read(tmp_path / "saved.json"))


def test_a_table_changes_nothing_of_what_a_log_says_of_its_time() -> None:
    alone, beside = judge_all([log(*_waits())], all_causes()), judge_all([log(*_waits()), table(tree())], all_causes())
    assert alone.window == beside.window
    assert alone.stalled_s == beside.stalled_s


# --- written ----------------------------------------------------------------------------------------------------


def hostile() -> Snapshot:
    strange = tree(words=HOSTILE, label=HOSTILE)
    return table(strange, *(tree(kind, 100 + 2 * at) for at, kind in enumerate(ProcessClass)))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_page_and_no_control_character_gets_out(width: int, verbose: bool) -> None:
    verdict = judge_all([hostile()], all_causes())
    page = render_processes(verdict, width=width, color=False, verbose=verbose, everything=True)
    assert all(cell_len(line) <= width for line in page.splitlines())
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in page if char != "\n")
    joined = render(judge_all([hostile(), log()], all_causes()), width=width, color=False, verbose=verbose)
    assert all(cell_len(line) <= width for line in joined.splitlines())


def test_ascii_is_enough() -> None:
    verdict = judge_all([table(tree())], all_causes())
    assert render_processes(verdict, width=80, color=False, glyphs=ASCII).isascii()


def test_the_page_names_each_sign_with_its_command_and_the_memory_to_win_back() -> None:
    page = render_processes(
        judge_all([table(tree(), tree(ProcessClass.LIVE, 900))], all_causes()), width=80, color=False
    )
    assert "its stdin has no other end" in page
    assert "$ ss -xp" in page
    assert "to win back: 60 MB of 2 processes" in page
    assert "time in ~/.mcp.json" in page
    assert "900" not in page
    assert "--all shows them" in page


def test_the_document_keeps_its_schema() -> None:
    verdict = judge_all([hostile(), log()], all_causes())
    ended = (Ended(1, 1, HOSTILE, Outcome.KEPT, HOSTILE, 5),)
    verdict = replace(verdict, report=replace(verdict.report, ended=ended))
    for everything in (False, True):
        text = dumps(verdict, command="procs", everything=everything)
        assert text.isascii()
        jsonschema.validate(json.loads(text), schema())
    assert {item["class"] for item in json.loads(text)["processes"]["items"]} == {kind.value for kind in ProcessClass}


# --- saved ------------------------------------------------------------------------------------------------------


def test_a_table_is_saved_and_replayed(tmp_path: Path) -> None:
    snapshots = [hostile(), table(tree(), service=ServiceProcess(5, "x", None, (8000,))), log()]
    write(snapshots, tmp_path / "saved.json")
    assert is_snapshot(tmp_path / "saved.json")
    assert not is_snapshot(tmp_path / "none.json")
    assert read(tmp_path / "saved.json") == snapshots


def test_older_snapshots_have_no_table(tmp_path: Path) -> None:
    write([log()], tmp_path / "saved.json")
    record = json.loads((tmp_path / "saved.json").read_text())
    del record["snapshots"][0]["processes"]
    (tmp_path / "saved.json").write_text(json.dumps(record))
    assert read(tmp_path / "saved.json") == [log()]


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=3)


@given(st.sampled_from(["trees", "service", "at_s", "kind", "pid", "harm", "parents", "cpu_share", "signs"]), _JSON)
def test_a_damaged_table_is_one_sentence(name: str, value: object) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.json"
        write([table(tree(), service=ServiceProcess(5, "x", None))], path)
        record = json.loads(path.read_text(encoding="utf-8"))
        processes = record["snapshots"][0]["processes"]
        first = processes["trees"][0]
        for place in (processes, first, first["processes"][0], first["harm"]):
            if name in place:
                place[name] = value
                break
        path.write_text(json.dumps(record), encoding="utf-8")
        try:
            snapshots = read(path)
        except UnreadableError:
            return
        dumps(judge_all(snapshots, all_causes()), command="verdict")


# --- elsewhere: written after the formats that reports from there show, not recorded on such machines --------------


MAC_LSOF = """\
p100
f0
tunix
d0xaaa1
n->(none)
f1
tunix
d0xaaa2
n->(none)
p200
f0
tunix
d0xbbb1
n->0xbbb9
f1
tunix
d0xbbb2
n->0xbbb8
p201
f12
tunix
d0xbbb9
n->0xbbb1
f13
tunix
d0xbbb8
n->0xbbb2
p300
f0
tPIPE
d0xccc1
n->0xccc9
f1
tPIPE
d0xccc2
n->0xccc8
p400
f0
tCHR
n/dev/null
f1
tCHR
n/dev/null
"""


def row(pid: int, parent: int, command: str, started_s: float = 1000.0) -> Row:
    return Row(pid, parent, "node", tuple(command.split()), started_s=started_s, start_ticks=int(started_s * 100))


def mac(lsof: str = MAC_LSOF, *, complete: bool = False) -> Facts:
    command = "node /x/node_modules/.bin/mcp-server-x"
    rows = {pid: row(pid, 1, command) for pid in (100, 200, 300, 400, 500)} | {201: row(201, 1, "node client.js")}
    owners = dict.fromkeys(rows, "me")
    return Facts(rows, opened=parse_lsof(lsof), owners=owners, own_user="me", complete=complete)


def kinds(trees: list[ProcessTree]) -> dict[int, str]:
    return {one.root.pid: one.kind.value for one in trees}


def test_macos_tells_dead_socket_pairs_and_doubts_pipes() -> None:
    found = kinds(judge(mac(), mac(), (), "darwin", proven=True))
    assert found == {100: "orphan", 200: "live", 300: "suspect", 400: "live", 500: "unknown"}
    assert kinds(judge(mac(), mac(), (), "darwin", proven=False))[100] == "suspect"
    assert kinds(judge(mac(), mac(complete=True), (), "darwin", proven=True))[300] == "orphan"
    others = replace(mac(), owners={100: "you"})
    assert kinds(judge(others, others, (), "darwin", proven=True))[100] == "suspect"


def test_macos_needs_the_same_process_in_both_looks() -> None:
    younger = replace(mac(), rows={**mac().rows, 100: row(100, 1, "node /x/.bin/mcp-server-x", 2000.0)})
    assert kinds(judge(mac(), younger, (), "darwin", proven=True))[100] == "suspect"


@given(st.text(alphabet="pftdn0123x->(e)\n ", max_size=200))
def test_any_text_of_lsof_is_read(text: str) -> None:
    facts = replace(mac(), opened=parse_lsof(text))
    assert all(end_of(pid, number, facts)[0] in End for pid, number in facts.opened or {})


def test_windows_never_says_more_than_suspect() -> None:
    server = r"C:\node\node.exe C:\x\node_modules\mcp-server-x\mcp-server-x.js"
    rows = {
        10: row(10, 99, server),  # its parent is gone
        20: row(20, 21, server),  # its parent's number was used again
        21: row(21, 1, r"C:\Python\python.exe daemon.py", 5000.0),
        30: row(30, 31, server),  # cmd /c npx, all there
        31: row(31, 32, "cmd.exe /c npx -y mcp-server-x"),
        32: row(32, 1, r"C:\Programs\Claude.exe"),
    }
    facts = Facts(rows)
    trees = judge(facts, facts, (), "win32", proven=True)
    assert kinds(trees) == {10: "suspect", 20: "suspect", 31: "live"}
    assert all(one.unread for one in trees)
    assert all(one.launch == "windows" for one in trees)


def test_a_system_that_is_not_linux_gives_a_snapshot() -> None:
    looks: list[float] = []
    snapshot = collect_elsewhere(quick=False, apart_s=7.0, configs=(), sleep=looks.append, look=mac)
    assert looks == [7.0]
    assert snapshot.processes is not None
    assert any("not on a real machine" in words for words in snapshot.warnings)


def test_the_real_reader_of_other_systems_works_here_too() -> None:
    snapshot = collect_elsewhere(quick=True, apart_s=0.0, configs=(), sleep=lambda _: None)
    assert snapshot.processes is not None
    assert snapshot.processes.scanned > 0
    assert not any(one.kind is ProcessClass.ORPHAN for one in snapshot.processes.trees)
