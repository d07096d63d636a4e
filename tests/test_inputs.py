"""What is read, in which order, under which name; and what is said about the rest."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from taskdoctor.collectors.logs import inputs
from taskdoctor.collectors.logs.heads import Compression
from taskdoctor.collectors.logs.inputs import find_inputs
from taskdoctor.collectors.logs.rotation import is_log_name, rotation
from taskdoctor.errors import Exit, UnreadableError

LINE = b"2026-03-04 10:11:12 INFO started\n"


def write(folder: Path, *names: str, data: bytes = LINE) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def names(*paths: str | Path) -> list[str]:
    return [item.name for item in find_inputs([str(path) for path in paths])[0]]


ROTATED = [
    ["server.log.10.gz", "server.log.2.gz", "server.log.1", "server.log"],
    ["server.log.2026-03-03", "server.log.2026-03-04", "server.log"],
    ["server.log.2026-03-04_09", "server.log.2026-03-04_10", "server.log"],
    ["server.log.2026-03-04.2", "server.log.2026-03-04.1", "server.log.2026-03-04", "server.log"],
    ["server.log-20260303.gz", "server.log-20260304", "server.log"],
    ["server.log-20260303-1772500000", "server.log-20260304-1772600000", "server.log"],
    ["server-20260303.log", "server-20260304.log.gz", "server.log"],
    ["server.2026-03-04_10-11-12_123456.log", "server.2026-03-04_22-11-12_000001.log.gz", "server.log"],
    ["debug_2026-03-03.log", "debug_2026-03-04.2026-03-04_10-11-12_123456.log", "debug_2026-03-04.log"],
    ["2026-03-03.log", "2026-03-04.log"],
    ["syslog.2.gz", "syslog.1", "syslog"],
]


@pytest.mark.parametrize("parts", ROTATED, ids=lambda parts: str(parts[0]))
def test_rotated_sets_are_one_log_oldest_first(tmp_path: Path, parts: list[str]) -> None:
    write(tmp_path, *parts)
    items, warnings = find_inputs([str(tmp_path / name) for name in reversed(parts)])
    assert [item.name for item in items] == parts
    assert [item.order for item in items] == list(range(len(parts)))
    assert len({item.set_name for item in items}) == 1
    assert not warnings
    assert names(tmp_path) == parts


@pytest.mark.parametrize("name", ["worker.12345.log", "app-1.2.log", "server.log.12345", "api.log.old", "server.log"])
def test_names_that_are_no_parts(name: str) -> None:
    assert len(rotation(name)[1]) == 1


def test_a_name_of_dots_and_numbers_costs_no_time() -> None:
    rotation("server.log" + ".1" * 120)
    rotation("20260304." * 28 + "x")


def test_the_order_of_the_arguments_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, "b.log", "a.log", "a.log.1")
    paths = [str(tmp_path / name) for name in ("b.log", "a.log", "a.log.1")]
    assert find_inputs(paths) == find_inputs(paths[::-1])
    assert names(*paths) == ["a.log.1", "a.log", "b.log"]


def test_a_folder_gives_its_logs(tmp_path: Path) -> None:
    wanted = ["a.log", "b.out", "c.err", "d.txt", "e.jsonl", "f.json", "sub/g.log", "h.log.3"]
    write(tmp_path, *wanted, "image.png", "main.py", ".git/x.log", "node_modules/y.txt", "z.log~", "run.pid")
    assert sorted(str(item.path.relative_to(tmp_path)) for item in find_inputs([str(tmp_path)])[0]) == sorted(wanted)
    assert is_log_name("access_log-20260304.gz")


def test_the_same_name_in_two_folders(tmp_path: Path) -> None:
    write(tmp_path, "one/server.log", "two/server.log")
    items = find_inputs([str(tmp_path)])[0]
    assert [item.name for item in items] == [str(tmp_path / "one/server.log"), str(tmp_path / "two/server.log")]
    assert len({item.set_name for item in items}) == 2


def test_folders_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "logs/server.log")
    (tmp_path / "logs/again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "logs/self.log").symlink_to(tmp_path / "logs/self.log")
    assert names(tmp_path) == ["server.log"]


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *(f"{number}.log" for number in range(9)))
    monkeypatch.setattr("taskdoctor.collectors.logs.folders.FILES_MAX", 4)
    items, warnings = find_inputs([str(tmp_path)])
    assert len(items) == 4
    assert warnings == [f"{tmp_path}: holds too much to look at all of it; 4 logs were taken"]
    monkeypatch.setattr(inputs, "INPUTS_MAX", 3)
    assert len(find_inputs([str(tmp_path / f"{number}.log") for number in range(9)])[0]) == 3


def test_globs_that_the_shell_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/one.log", "b/two.log", "b/image.bin", "odd[1].log")
    assert names(tmp_path / "*" / "*.log") == ["one.log", "two.log"]
    assert names(f"{tmp_path}/**/*.log") == ["odd[1].log", "one.log", "two.log"]
    assert names(tmp_path / "odd[1].log") == ["odd[1].log"]
    monkeypatch.chdir(tmp_path / "b")
    assert names("*.log") == ["two.log"]


def test_one_file_under_several_names_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "server.log")
    os.link(tmp_path / "server.log", tmp_path / "zz.log")
    (tmp_path / "zzz.log").symlink_to(tmp_path / "server.log")
    assert names(tmp_path, tmp_path / "server.log", f"{tmp_path}/./server.log") == ["server.log"]


def test_what_an_input_knows(tmp_path: Path) -> None:
    write(tmp_path, "server.log.1", data=gzip.compress(LINE))
    os.utime(tmp_path / "server.log.1", (1, 1_772_600_000))
    (item,), _ = find_inputs([str(tmp_path / "server.log.1")])
    assert (item.name, item.set_name, item.compression, item.mtime_s) == (
        "server.log.1",
        "server.log",
        Compression.GZIP,
        1_772_600_000,
    )
    assert item.size_bytes == len(gzip.compress(LINE))


def test_standard_input_and_a_file_called_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "-")
    monkeypatch.chdir(tmp_path)
    (file, stdin), _ = find_inputs(["-", "./-"])
    assert (file.name, file.is_stdin, stdin.name, stdin.is_stdin) == ("-", False, "stdin", True)


def test_pipes_are_not_looked_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (item,), _ = find_inputs([str(tmp_path / "pipe")])
    assert (item.size_bytes, item.compression) == (0, Compression.NONE)


# --- what cannot be read ----------------------------------------------------------------------------------------


def refusal(*paths: str | Path) -> UnreadableError:
    with pytest.raises(UnreadableError) as error:
        find_inputs([str(path) for path in paths])
    assert error.value.code is Exit.CANNOT_LOOK
    assert error.value.hint
    assert "\n" not in str(error.value)
    return error.value


def test_nothing_is_left(tmp_path: Path) -> None:
    write(tmp_path, "server.log", "empty/readme.md")
    assert str(refusal(tmp_path / "sever.log")) == f"{tmp_path}/sever.log: no such file"
    assert refusal(tmp_path / "sever.log").hint == f"Did you mean {tmp_path}/server.log?"
    assert str(refusal(tmp_path / "empty")) == f"{tmp_path}/empty: no logs in this folder"
    assert str(refusal(tmp_path / "*.err")) == f"{tmp_path}/*.err: no file matches"
    assert str(refusal(tmp_path / "none/x.log")).endswith("no such file")
    assert "no such file; " in str(refusal(tmp_path / "1.log", tmp_path / "2.log"))


def test_something_is_left(tmp_path: Path) -> None:
    write(tmp_path, "server.log")
    items, warnings = find_inputs([str(tmp_path / "server.log"), str(tmp_path / "missing.log")])
    assert [item.name for item in items] == ["server.log"]
    assert warnings == [f"{tmp_path}/missing.log: no such file"]


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n" + bytes(100), b"%PDF-1.7\n", b"\x7fELF" + bytes(200), bytes(5000), bytes(range(256)) * 40],
)
def test_binary_files_are_refused(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, "x.log", data=data)
    assert str(refusal(tmp_path / "x.log")) == f"{tmp_path}/x.log: not a text log"
    write(tmp_path, "server.log")
    assert find_inputs([str(tmp_path)])[1] == [f"{tmp_path}/x.log: not a text log"]


def test_a_gz_that_is_none(tmp_path: Path) -> None:
    write(tmp_path, "x.log.gz", data=bytes(range(256)) * 40)
    assert str(refusal(tmp_path / "x.log.gz")).endswith("not a text log, and not packed as its name says")
    write(tmp_path, "y.log.gz")
    assert find_inputs([str(tmp_path / "y.log.gz")])[0][0].compression is Compression.NONE


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk", "big5"])
def test_text_of_any_encoding_is_no_binary(tmp_path: Path, codec: str) -> None:
    write(tmp_path, "x.log", data=("2026-03-04 10:11:12 INFO \x1b[32m任務\x1b[0m\r\n" * 30).encode(codec, "replace"))
    assert names(tmp_path / "x.log") == ["x.log"]


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, "x.log", data=b"")
    items, warnings = find_inputs([str(tmp_path / "x.log")])
    assert len(items) == 1
    assert warnings == [f"{tmp_path}/x.log: empty"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    write(tmp_path, "x.log")
    (tmp_path / "x.log").chmod(0)
    assert str(refusal(tmp_path / "x.log")) == f"{tmp_path}/x.log: permission denied"


def test_permission_denied_as_anyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    write(tmp_path, "x.log")
    monkeypatch.setattr(inputs, "FileIO", deny)
    assert str(refusal(tmp_path / "x.log")) == f"{tmp_path}/x.log: permission denied"
