"""The pieces that generic patterns are made of: how strangers write a length, and what stands around it.

A group may come in several branches of one pattern; the digit behind its name tells the branches apart.
"""

NUMBER = r"\d{1,12}(?:,\d{3}){0,3}(?:\.\d{1,9})?"
UNIT = (
    r"(?:(?:milliseconds?|millis|msecs?|ms|microseconds?|us|µs|μs|ns|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b"
    r"|毫秒|微秒|秒钟|秒|分钟)"
)
# "1.842s", "1m2.3s", "93 ms", "0:01:02", "1.2 秒"
LENGTH = rf"(?:(?:\d{{1,3}}h)?(?:\d{{1,4}}m)?{NUMBER} ?{UNIT}|\d{{1,2}}:\d\d:\d\d(?:\.\d{{1,9}})?\b)"

# What may stand between a word of measure and the number: "took a total of 3s", "elapsed: 1.2s", "耗时：1.2秒"
_LEAD = r"[\s:：=~≈>（(]{0,4}(?:[a-z]{1,8} ){0,3}"
_MEASURES = (
    r"(?:took|takes?|taken|cost|costs|spent|in|after|for|elapsed|duration|latency|time|total|delay|wait|waited|lag|age"
    r"|[Ee]lapsed|[Dd]uration|[Ll]atency|[Tt]ime|耗时|用时|花费|花了|延迟|等待|等了|时长|阻塞|已|[(（:：-])"
)
_MEASURE_KEYS = (
    r"(?:duration|elapsed|took|latency|time|wait|waited|lag|cost|age|total|spent|delay|dur|held|blocked|pause|rtt)"
)
_SIGN = r"[\"']?\s?[=:]\s?[\"']?"

# Text between a subject and its measure: the same clause.
GAP = r"[^,;|，；。]{0,60}?"
# Structured fields: anything may stand between.
WIDE_GAP = r".{0,160}?"


def keyed(branch: int) -> str:
    """`_ms=812.4`, `_seconds: 1.2`, `="1.2s"`, `: 1.84`: what follows a key; a bare number needs a decimal point."""
    return (
        rf"(?:_?(?:ms|millis|msecs?|milliseconds){_SIGN}(?P<ms{branch}>{NUMBER})"
        rf"|_(?:s|secs?|seconds){_SIGN}(?P<seconds{branch}>{NUMBER})"
        rf"|_(?:us|usecs?|microseconds){_SIGN}(?P<us{branch}>{NUMBER})"
        rf"|{_SIGN}(?:(?P<duration{branch}>{LENGTH})|(?P<seconds{branch}{branch}>\d{{1,2}}\.\d{{1,9}})\b))"
    )


def measured(branch: int) -> str:
    """From behind a subject to its length: " 1.2s", " call took 1.2s", "_latency_ms=93", " done   duration_ms=93"."""
    return (
        rf"(?:(?:[\w.]{{0,24}}_)??{_MEASURE_KEYS}?{keyed(branch)}"
        rf"| (?P<duration{branch + 4}>{LENGTH})"
        rf"|{GAP}{_MEASURES}{_LEAD}(?P<duration{branch + 1}>{LENGTH})"
        rf"|{WIDE_GAP}[\s,{{\"'_]{_MEASURE_KEYS}(?:_time)?{keyed(branch + 2)})"
    )


def any_of(*words: str) -> str:
    """Alternatives that begin a word, or follow an underscore; Chinese has no word boundaries."""
    latin = [word for word in words if word.isascii()]
    chinese = [word for word in words if not word.isascii()]
    return "(?:" + "|".join([rf"(?:\b|_)(?:{'|'.join(latin)})", *chinese]) + ")"
