"""The command line of the demo: `python -m taskdoctor.demo --fault gc-pause --seed 1 --log server.log --seconds 60`."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from taskdoctor.demo import launcher, logs, truth
from taskdoctor.demo.fault import all_faults, fault_named
from taskdoctor.demo.schedule import SLOT_S
from taskdoctor.demo.settings import Settings
from taskdoctor.errors import Exit, TaskdoctorError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taskdoctor.demo", description="A chat back end with a fault inside."
    )
    parser.add_argument("--list", action="store_true", help="name every fault and the cause that it should produce")
    parser.add_argument("--fault", default="none", help="one fault, or several with commas between")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same times")
    parser.add_argument("--log", default="server.log", help="where the service writes its log")
    parser.add_argument("--truth", help="where the ground truth goes; default: beside the log")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=SLOT_S, help="seconds from one episode to the next, about")
    parser.add_argument("--style", choices=sorted(logs.STYLES), default="loguru")
    parser.add_argument("--plain", action="store_true", help="no watchdog and no measured lengths: poor logging")
    parser.add_argument("--debug", action="store_true", help="asyncio's debug mode")
    parser.add_argument(
        "--port", type=int, help="port of aiomonitor (its web page +1, its console +2); default: free ones"
    )
    parser.add_argument("--no-monitor", action="store_true", help="leave aiomonitor out: starts faster")
    return parser


def main() -> int:
    options = _parser().parse_args()
    if options.list:
        sys.stdout.write("".join(f"{each.name:<20} {each.cause or '-':<20} {each.summary}\n" for each in all_faults()))
        return 0
    known = {each.name for each in all_faults()}
    unknown = [name for name in options.fault.split(",") if name not in known]
    if unknown:
        sys.stderr.write(f"no fault is called {unknown[0]!r}; --list names them\n")
        return Exit.USAGE
    work = tempfile.mkdtemp(prefix="chat-")
    try:
        _play(_settings(options, work), options.truth)
    except TaskdoctorError as error:
        sys.stderr.write(f"{error} {error.hint}".rstrip() + "\n")
        return error.code
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _settings(options: argparse.Namespace, work: str) -> Settings:
    service, upstream, names = launcher.free_ports(3)
    monitor = [options.port, options.port + 1, options.port + 2] if options.port else launcher.free_row(3)
    log = Path(options.log)
    log.unlink(missing_ok=True)
    run = Settings(
        faults=tuple(options.fault.split(",")),
        seed=options.seed,
        seconds=options.seconds,
        every_s=max(1.0, options.every),
        log=str(log.absolute()),
        style=options.style,
        work=work,
        service_port=service,
        upstream_port=upstream,
        dns_port=names,
        monitor_ports=None if options.no_monitor else (monitor[0], monitor[1], monitor[2]),
        plain=options.plain,
        supervised=options.style == "uvicorn",
        debug=options.debug,
    )
    for name in run.faults:
        run = fault_named(name).adjust(run)
    run.save()
    return run


def _play(run: Settings, truth_path: str | None) -> None:
    monitor = f"aiomonitor on 127.0.0.1:{run.monitor_ports[0]}, " if run.monitor_ports else ""

    def begun() -> None:
        sys.stderr.write(f"demo: {monitor}log in {run.log}, {run.seconds:g} s\n")
        sys.stderr.flush()

    asyncio.run(launcher.play(run, begun))
    found = truth.document(run, {name: fault_named(name).cause for name in run.faults})
    path = Path(truth_path) if truth_path else Path(run.log).with_suffix(".truth.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
