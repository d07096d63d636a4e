"""The kernel, systemd, cgroups and orchestrators."""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

MEMORY = (
    LogEvent(
        kind="kernel-oom-kill",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("of memory", "oom-kill", " OOM"),
        pattern=(
            r"(?:.{0,60}\] )?(?:Memory cgroup out of memory: Killed process|Out of memory: Kill(?:ed)? process"
            r"|oom-kill:constraint=|A process of this unit has been killed by the OOM killer|.{0,80}\bOOMKilled\b)"
        ),
        samples=(
            "Out of memory: Killed process 20221 (python3) total-vm:3838904kB, anon-rss:3649764kB",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=python3,pid=20221",
            "A process of this unit has been killed by the OOM killer.",
            "Memory cgroup out of memory: Killed process 8 (python3)",
            "container chat terminated: OOMKilled",
        ),
        near_misses=("out of memory: I forgot her name", "User input: Out of memory: Killed process 1"),
        title="the kernel killed a process: out of memory",
    ),
    LogEvent(
        kind="journald-memory-pressure",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("emory pres",),
        pattern=r"Under memory pressure, flushing caches",
        samples=("Under memory pressure, flushing caches.",),
        near_misses=("Under memory pressure I forget names",),
        title="the machine is short of memory",
    ),
    LogEvent(
        kind="kernel-hung-task",
        lane=Lane.MEMORY,
        form=Form.SPAN,
        literals=("locked for",),
        pattern=r"(?:.{0,40}\] )?INFO: task (?P<label>\S{1,80}) blocked for more than (?P<seconds>\d{1,6}) seconds",
        samples=("INFO: task jbd2/nvme0n1:655 blocked for more than 614 seconds.",),
        near_misses=("Shard ID None heartbeat blocked for more than 10 seconds.",),
        title="the kernel saw a task wait for the disk",
    ),
    LogEvent(
        kind="psi-memory",
        lane=Lane.MEMORY,
        form=Form.LEVEL,
        literals=(" avg10=",),
        pattern=r"(?:.{0,60}[/ ])?memory(?:\.pressure)?:? (?:some|full) avg10=(?P<value>\d{1,3}(?:\.\d{1,2})?)",
        samples=("/proc/pressure/memory: full avg10=12.24 avg60=3.11 avg300=0.90 total=123",),
        near_misses=("cpu some avg10=70.24 avg60=10.00",),
        label="memory pressure, percent of time",
        title="memory pressure, percent of time",
    ),
)

CPU = (
    LogEvent(
        kind="psi-cpu",
        lane=Lane.NOT_SCHEDULED,
        form=Form.LEVEL,
        literals=(" avg10=",),
        pattern=r"(?:.{0,60}[/ ])?cpu(?:\.pressure)?:? (?:some|full) avg10=(?P<value>\d{1,3}(?:\.\d{1,2})?)",
        samples=("cpu some avg10=70.24 avg60=10.00 avg300=3.00 total=99",),
        near_misses=("memory full avg10=12.24",),
        label="CPU pressure, percent of time",
        title="CPU pressure, percent of time",
    ),
    LogEvent(
        kind="cgroup-throttled",
        lane=Lane.NOT_SCHEDULED,
        form=Form.LEVEL,
        literals=("hrottle",),
        pattern=r"(?:.{0,120}\b)?throttled_(?:usec|time)[ =:]{1,2}(?P<value>\d{1,18})",
        samples=("nr_periods 100 nr_throttled 47 throttled_usec 320000", "throttled_time 99000000"),
        near_misses=("throttled_usec is a counter",),
        label="throttled time, as counted by the kernel",
        title="throttled by the CPU limit",
    ),
    LogEvent(
        kind="psi-io",
        lane=Lane.DISK,
        form=Form.LEVEL,
        literals=(" avg10=",),
        pattern=r"(?:.{0,60}[/ ])?io(?:\.pressure)?:? (?:some|full) avg10=(?P<value>\d{1,3}(?:\.\d{1,2})?)",
        samples=("io full avg10=31.02 avg60=10.00 avg300=3.00 total=99",),
        near_misses=("radio some avg10=3.00",),
        label="disk pressure, percent of time",
        title="disk pressure, percent of time",
    ),
)

UNITS = (
    LogEvent(
        kind="systemd-stop-timeout",
        lane=Lane.TEARDOWN,
        form=Form.MARK,
        literals=("imed out",),
        pattern=r"(?:.{0,80}: )?State '(?:stop|final)-\w{1,20}' timed out\. (?:Killing|Terminating)",
        samples=("State 'stop-sigterm' timed out. Killing.", "chat.service: State 'stop-sigterm' timed out. Killing."),
        near_misses=("The call 'x' timed out. Killing time",),
        title="the service did not stop in time",
    ),
    LogEvent(
        kind="systemd-watchdog",
        lane=Lane.LOOP_HELD,
        form=Form.SPAN,
        literals=("atchdog timeout",),
        pattern=r"(?:.{0,80}: )?Watchdog timeout \(limit (?P<duration>[\d.]{1,8}[a-z]{1,4}(?: \d{1,3}[a-z]{1,3})?)\)",
        samples=("Watchdog timeout (limit 5min)!", "chat.service: Watchdog timeout (limit 1min 30s)!"),
        near_misses=("Watchdog timeout (limit unknown)!",),
        title="the service missed its watchdog",
    ),
    LogEvent(
        kind="kubelet-probe-failed",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=("ness probe",),
        pattern=r"(?:.{0,120}[\s\"])?(?P<label>(?:Liveness|Readiness) probe failed)",
        samples=("Liveness probe failed: Get http://10.0.0.1/health: context deadline exceeded",),
        near_misses=("The liveness probe failed once, bob said",),
        title="a health probe failed",
    ),
    LogEvent(
        kind="container-killed",
        lane=Lane.MEMORY,
        form=Form.MARK,
        literals=("code 137", "code=137"),
        pattern=(
            r"(?:.{0,160}\b)?(?:exited with code|[Ee]xit code|exit_code)[ =:]{1,2}137\b"
            r"|(?:.{0,160}\b)?exit[ _]?code=137\b"
        ),
        samples=("chat-1 exited with code 137", "container died exit_code=137", "died: exit code=137"),
        near_misses=("postal code 137",),
        title="a container was killed (exit 137)",
    ),
    LogEvent(
        kind="host-suspended",
        lane=Lane.SUSPENDED,
        form=Form.OPEN,
        literals=("PM: ",),
        pattern=r"(?:.{0,40}\] )?(?:PM: suspend entry|PM: hibernation: hibernation entry)",
        samples=("PM: suspend entry (deep)", "[ 1234.5678] PM: suspend entry (s2idle)"),
        near_misses=("Note: PM: suspend entry",),
        pair="host-suspend",
        title="the machine went to sleep",
    ),
    LogEvent(
        kind="host-resumed",
        lane=Lane.SUSPENDED,
        form=Form.CLOSE,
        literals=("PM: ",),
        pattern=r"(?:.{0,40}\] )?(?:PM: suspend exit|PM: hibernation: hibernation exit)",
        samples=("PM: suspend exit", "[ 1299.5678] PM: suspend exit"),
        near_misses=("Note: PM: suspend exit",),
        pair="host-suspend",
        title="the machine woke up",
    ),
    LogEvent(
        kind="windows-standby",
        lane=Lane.SUSPENDED,
        form=Form.MARK,
        literals=("Kernel-Power",),
        pattern=r".{0,60}Kernel-Power\W{1,4}.{0,40}(?P<key>50[67])\b",
        samples=("Microsoft-Windows-Kernel-Power 506: The system is entering connected standby", "Kernel-Power (507)"),
        near_misses=("Kernel-Power 41: the system rebooted",),
        title="the machine entered or left standby",
    ),
)
