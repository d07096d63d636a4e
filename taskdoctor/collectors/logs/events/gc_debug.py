"""Garbage collection as the interpreter and frameworks report it.

The counters of DEBUG_STATS mean generations up to 3.13, but young and two old spaces in 3.14: only their sum is safe.
"""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="gc-debug-collecting",
        lane=Lane.GC,
        form=Form.MARK,
        literals=("gc: ",),
        pattern=r"gc: collecting generation (?P<generation>\d)",
        samples=("gc: collecting generation 2...",),
        near_misses=("User input: gc: collecting generation 2...",),
        title="collection begins",
    ),
    LogEvent(
        kind="gc-debug-done",
        lane=Lane.GC,
        form=Form.SPAN,
        literals=("gc: ",),
        pattern=(
            r"gc: done, (?:(?P<collected>\d{1,12}) unreachable, \d{1,12} uncollectable, )?"
            r"(?P<seconds>\d{1,5}(?:\.\d{1,9})?)s elapsed"
        ),
        samples=(
            "gc: done, 15234 unreachable, 0 uncollectable, 0.0834s elapsed",
            "gc: done, 0.0003s elapsed",
            "gc: done, 3 unreachable, 0 uncollectable, 0.0014s elapsed.",
        ),
        near_misses=("gc: done, nothing to report", "AI response: gc: done, 0.5s elapsed"),
        title="garbage collection",
    ),
    LogEvent(
        kind="gc-debug-objects",
        lane=Lane.STATE,
        form=Form.LEVEL,
        literals=("gc: ",),
        pattern=r"gc: objects in each generation: (?P<sum>\d{1,12} \d{1,12} \d{1,12})",
        samples=("gc: objects in each generation: 472 5143 812345",),
        near_misses=("gc: objects in each generation: unknown",),
        label="heap objects",
        title="objects on the heap",
    ),
    LogEvent(
        kind="gc-collecting",
        lane=Lane.GC,
        form=Form.MARK,
        literals=("ollecting gc",),
        pattern=r"(?:\w{1,30} - )?Collecting gc (?P<generation>\d)",
        samples=("sentinel - Collecting gc 2", "Collecting gc 1"),
        near_misses=("Collecting gc statistics", "User input: Collecting gc 2"),
        title="collection begins",
    ),
    LogEvent(
        kind="klipper-gc",
        lane=Lane.GC,
        form=Form.MARK,
        literals=("arbage",),
        pattern=r"Reactor garbage collection: \(",
        samples=("Reactor garbage collection: (10.5, 20.25, 31.0)",),
        near_misses=("Reactor garbage collection disabled", "The garbage collection day is Monday"),
        title="garbage collection",
    ),
    LogEvent(
        kind="dask-gc-share",
        lane=Lane.GC,
        form=Form.LEVEL,
        literals=("arbage",),
        pattern=r"full garbage collections took (?P<value>\d{1,3})% CPU time recently",
        samples=("full garbage collections took 33% CPU time recently (threshold: 10%)",),
        near_misses=("full garbage collections took long",),
        label="percent of CPU in full collections",
        title="share of CPU in full collections",
    ),
    LogEvent(
        kind="dask-gc-released",
        lane=Lane.GC,
        form=Form.MARK,
        literals=("arbage",),
        pattern=r"full garbage collection released \S{1,20} \w{1,3} from (?P<value>\d{1,12}) reference cycles",
        samples=("full garbage collection released 15.22 MB from 102194 reference cycles (threshold: 10.00 MB)",),
        near_misses=("full garbage collection released nothing",),
        title="a full collection released cycles",
    ),
)
