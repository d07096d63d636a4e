"""Lines of the first users' chat back ends, Chinese and English; emoji differ or are missing."""

from taskdoctor.collectors.logs.event import LogEvent
from taskdoctor.model import Form, Lane

EVENTS = (
    LogEvent(
        kind="conversation-elapsed",
        lane=Lane.OPERATION,
        form=Form.SPAN,
        literals=("lapsed",),
        pattern=r"\W{0,12}Conversation total elapsed: ?(?P<seconds>\d{1,6}(?:\.\d{1,9})?) ?s\b",
        samples=("Conversation total elapsed: 1.842s", "⏱️ Conversation total elapsed: 30.1 s"),
        near_misses=("User input: Conversation total elapsed: 3s", "Conversation total elapsed: unknown"),
        label="conversation",
        title="conversation",
    ),
    LogEvent(
        kind="gc-started",
        lane=Lane.GC,
        form=Form.OPEN,
        literals=("GC st",),
        pattern=r"\W{0,12}GC start: ?\{['\"]generation['\"]: ?(?P<generation>\d)",
        samples=(
            "🗑️  GC start: {'generation': 2, 'collected': 0, 'uncollectable': 0}",
            "GC start: {'generation': 0, 'collected': 0, 'uncollectable': 0}",
        ),
        near_misses=("User input: GC start: {'generation': 2}", "GC start: unknown"),
        pair="gc",
        title="garbage collection started",
    ),
    LogEvent(
        kind="gc-stopped",
        lane=Lane.GC,
        form=Form.CLOSE,
        literals=("GC st",),
        pattern=(
            r"\W{0,12}GC stop: ?\{['\"]generation['\"]: ?(?P<generation>\d)"
            r"(?:, ['\"]collected['\"]: ?(?P<collected>\d{1,12}))?"
        ),
        samples=("🗑️  GC stop: {'generation': 2, 'collected': 1523, 'uncollectable': 0}", "GC stop: {'generation': 1}"),
        near_misses=("AI response: GC stop: {'generation': 2}", "GC stop: never"),
        pair="gc",
        title="garbage collection stopped",
    ),
    LogEvent(
        kind="gc-callback-duration",
        lane=Lane.GC,
        form=Form.SPAN,
        literals=("GC st",),
        pattern=(
            r"\W{0,12}GC stop: ?\{['\"]generation['\"]: ?(?P<generation>\d).{0,120}?"
            r"['\"]duration['\"]: ?(?P<seconds>\d{1,4}(?:\.\d{1,12})?)"
        ),
        samples=(
            "GC stop: {'generation': 2, 'collected': 9, 'uncollectable': 0, 'candidates': 40, 'duration': 0.0834}",
        ),
        near_misses=("GC stop: {'generation': 2, 'collected': 9, 'uncollectable': 0}",),
        title="garbage collection",
    ),
    LogEvent(
        kind="tasks-counted",
        lane=Lane.TASKS,
        form=Form.LEVEL,
        literals=("任务数", "任务统计", "任务:"),
        pattern=r"\W{0,12}任务(?:统计)?[:：] ?总(?:数)?=\d{1,9}[,，] ?活跃(?:数)?=(?P<value>\d{1,9})",
        samples=("📊 任务统计: 总=17, 活跃=12", "📊 任务: 总=20, 活跃=15", "任务统计：总=3，活跃=2"),
        near_misses=("User input: 任务统计: 总=17, 活跃=12", "任务: 写报告"),
        label="active tasks",
        title="active tasks",
    ),
    LogEvent(
        kind="tasks-abnormal",
        lane=Lane.TASKS,
        form=Form.LEVEL,
        literals=("任务数", "任务统计", "任务:"),
        pattern=r"\W{0,12}(?:活跃)?任务数异常[:：] ?(?P<value>\d{1,9})",
        samples=("⚠️  活跃任务数异常: 41", "任务数异常: 41"),
        near_misses=("用户输入: 任务数异常: 41", "任务数异常: 无"),
        label="active tasks",
        title="active tasks, called abnormal",
    ),
    LogEvent(
        kind="service-context-cleanup",
        lane=Lane.TEARDOWN,
        form=Form.SPAN,
        literals=("耗时",),
        pattern=r"\W{0,12}(?:ServiceContext ?)?清理耗时(?:异常)?[:：] ?(?P<seconds>\d{1,6}(?:\.\d{1,9})?) ?s\b",
        samples=("ServiceContext 清理耗时: 1.204s", "⚠️  清理耗时异常: 3.1s"),
        near_misses=("用户输入: 清理耗时: 1.2s", "清理耗时: 未知"),
        label="session clean-up",
        title="clean-up of a session",
    ),
    LogEvent(
        kind="mcp-connections-at-close",
        lane=Lane.CHILDREN,
        form=Form.LEVEL,
        literals=("MCPClient",),
        pattern=r"\W{0,12}Closing MCPClient\b.{0,80}? and (?P<value>\d{1,6}) active connections",
        samples=("Closing MCPClient... and 4 active connections", "🔌 Closing MCPClient and 0 active connections..."),
        near_misses=("Closing MCPClient for context instance 7...",),
        label="MCP connections at close",
        title="active MCP connections at close",
    ),
    LogEvent(
        kind="sweeper-failed",
        lane=Lane.ERROR,
        form=Form.MARK,
        literals=(" loop error",),
        pattern=r"\W{0,12}Sweeper loop error: ?(?P<label>.{0,100})",
        samples=("Sweeper loop error: dictionary changed size during iteration", "❌ Sweeper loop error: 'x'"),
        near_misses=("User input: Sweeper loop error: what is it?",),
        title="the sweeper failed",
    ),
    LogEvent(
        kind="frontend-send-queued",
        lane=Lane.TASKS,
        form=Form.MARK,
        literals=("message to frontend",),
        pattern=r"\W{0,12}Queued (?P<label>[^:]{0,60}?) ?WebSocket message to frontend",
        samples=("Queued audio WebSocket message to frontend", "📤 Queued WebSocket message to frontend"),
        near_misses=("Sent a message to frontend", "User input: Queued WebSocket message to frontend"),
        title="fire-and-forget send",
    ),
)
