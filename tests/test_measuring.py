"""A stranger's numbers: what they are of, what is a setting, and that no text breaks the reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdoctor.collectors.logs.measuring import HINT, measured
from taskdoctor.collectors.logs.subjects import ALL, Subject
from taskdoctor.model import Lane

each_subject = pytest.mark.parametrize("subject", ALL.values(), ids=lambda subject: subject.kind)


def kinds(message: str) -> set[str]:
    return {subject.kind for subject, _ in measured(message)}


@each_subject
def test_samples_are_found_and_near_misses_not(subject: Subject) -> None:
    for sample in subject.samples:
        assert HINT.search(sample), sample
        assert subject.kind in kinds(sample), sample
    for miss in subject.near_misses:
        assert subject.kind not in kinds(miss), miss


@pytest.mark.parametrize(
    ("line", "lane", "seconds"),
    [
        ("[conv 12] LLM first token latency: 812ms", Lane.UPSTREAM, 0.812),
        ("openai request finished   model=gpt-4o duration_ms=2312", Lane.UPSTREAM, 2.312),
        ("waited 2.3s for lock 'history'", Lane.LOCK, 2.3),
        ("Turn 17 took 3.2s", Lane.OPERATION, 3.2),
        ("POST /chat/42?x=1 200 in 93ms", Lane.OPERATION, 0.093),
        ("executor_wait_ms=812", Lane.EXECUTOR, 0.812),
        ("dns_ms=5003", Lane.DNS, 5.003),
        ("log flush took 1.5s", Lane.LOGGING, 1.5),
        ("Cleanup took 3.5s", Lane.TEARDOWN, 3.5),
        ("调用大模型耗时: 3.5s", Lane.UPSTREAM, 3.5),
        ("会话 12 完成，总耗时 3.5s", Lane.OPERATION, 3.5),
        ("not scheduled for 1.2s", Lane.NOT_SCHEDULED, 1.2),
        ("Waited 812 ms for a free slot", Lane.POOL, 0.812),
        ("1m2.3s spent in reindex", Lane.OPERATION, 62.3),
        ("GC pause gen 2 took 0.412s", Lane.GC, 0.412),
        ("save_profile took 1.5s", Lane.OPERATION, 1.5),
        ("segment done save_s=9.47", Lane.DISK, 9.47),
        ("heartbeat came 2.3 s late", Lane.LOOP_HELD, 2.3),
        ("Takt kam 7.5 s zu spät", Lane.LOOP_HELD, 7.5),
        ("Sperre nach 3.2 Sekunden erhalten", Lane.LOCK, 3.2),
        ("名前解決に 5.0秒", Lane.DNS, 5.0),
        ("очередь: ждали 2.4 с", Lane.QUEUE, 2.4),
    ],
)
def test_lengths_find_their_lane(line: str, lane: Lane, seconds: float) -> None:
    [(subject, fields)] = measured(line)
    assert subject.lane is lane
    assert fields.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("line", "lane", "value"),
    [
        ("active tasks: 17", Lane.TASKS, 17),
        ("send_queue_depth=412", Lane.QUEUE, 412),
        ("Active connections: 12", Lane.SESSIONS, 12),
        ("open_fds=812", Lane.DESCRIPTORS, 812),
        ("polling closed [len(all_tasks())=4978]", Lane.TASKS, 4978),
        ("laufende Aufgaben: 440", Lane.TASKS, 440),
        ("executor: 8/8 workers busy, 4 jobs pending", Lane.EXECUTOR, 4),
    ],
)
def test_counts_find_their_lane(line: str, lane: Lane, value: float) -> None:
    assert (lane, value) in [(s.lane, f.value) for s, f in measured(line)]


@pytest.mark.parametrize(
    "line",
    [
        "timeout=30s",
        "poll 4985.123 ms took 5003.456 ms: 1 events",
        "poll interval 5s",
        "refreshing every 5 s",
        "uptime 3h",
        "session lasted 312s",
        "next run in 30s",
        "cached for 60s",
        "latency p95=812ms avg=12ms",
        "wrote 12 MB",
        "cache hits 99%",
        "User input: I waited 3s",
        "u3: why did the lock wait take 3s?",
    ],
)
def test_settings_sizes_and_foreign_words_are_nothing(line: str) -> None:
    assert measured(line) == []


def test_a_mark_carries_its_number() -> None:
    assert [f.label for _, f in measured("host: steal=33% load1=8.4")] == ["steal 33%"]


def test_a_name_of_its_own_beside_a_known_count_is_a_gauge() -> None:
    found = {fields.label: fields.value for subject, fields in measured("still here seq=2 fingerprints=10583 tasks=17")}
    assert found == {"tasks": 17, "fingerprints": 10583}
    assert measured("order 17 fingerprints=10583") == []


def test_lines_of_one_template_keep_their_own_numbers() -> None:
    lines = ("turn 1 took 1.5s", "turn 22 took 12.25s")
    assert [measured(line)[0][1].seconds for line in lines] == [1.5, 12.25]


@given(st.text(max_size=300) | st.from_regex(r"([a-z_]{1,6}[=: ][0-9,./%]{1,5} ?(ms|s|m|h|秒)?[ ,]){1,8}"))
def test_no_text_breaks_the_reading(text: str) -> None:
    measured(text)
