"""Whether a pattern takes linear time, and which text it cannot match without.

Why a checker and not a time-out: a log is read by the gigabyte, and Python's `re` cannot be interrupted. What is
refused is what makes a backtracking matcher try the same text in many ways.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

LARGE = 64  # a repeat that can go on this long counts as one without an end
MAX_CHAIN = 2  # repeats in a row that can eat each other's text (`.*x.*`): the exponent of the worst case
MAX_INNER = 16  # a variable repeat inside an endless one may be this long, if something marks its end
MAX_PATTERN_CHARS = 4000

Ranges = tuple[tuple[int, int], ...]
_LAST = 0x10FFFF
_CATEGORIES: dict[str, Ranges] = {
    "CATEGORY_DIGIT": ((0x30, 0x39),),
    "CATEGORY_SPACE": ((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x2000, 0x200A), (0x3000, 0x3000)),
    "CATEGORY_WORD": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A), (0xAA, _LAST)),
}
_REFUSED = {
    "GROUPREF": "it refers back to a group",
    "GROUPREF_IGNORE": "it refers back to a group",
    "GROUPREF_EXISTS": "it depends on whether a group took part",
    "ASSERT": "it looks ahead or behind",
    "ASSERT_NOT": "it looks ahead or behind",
}


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Repeat:
    body: Node
    low: int
    high: int

    @property
    def large(self) -> bool:
        return self.high >= LARGE and self.high != self.low


@dataclass(frozen=True, slots=True)
class Branch:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """A place, not a character: `^`, `$`, `\\b`."""


Node = Char | Repeat | Branch | Chain | Edge


class NotLinearError(ValueError):
    """Says why, as the rest of a sentence that starts with "the pattern is refused:"."""


def check(pattern: str) -> None:
    """Raises NotLinearError, or `re.error` for what is no pattern at all."""
    root = parsed(pattern)
    _check(root)
    if _chain(root, 0, ())[0] > MAX_CHAIN:
        raise NotLinearError("too many repeats in a row can match the same text; bound them, as in [^,]* or .{0,40}")


def required_literals(pattern: str, *, min_bytes: int = 4) -> tuple[str, ...]:
    """The longest text that stands in every match, or () if there is none of `min_bytes`."""
    best = max(_runs(parsed(pattern)), key=lambda run: len(run.encode(errors="replace")), default="")
    return (best,) if len(best.encode(errors="replace")) >= min_bytes else ()


def parsed(pattern: str) -> Node:
    """The pattern as nodes of our own: the parser's are untyped, and differ a little between Python versions."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise NotLinearError(f"it is longer than {MAX_PATTERN_CHARS} characters")
    parser = importlib.import_module("re._parser")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FutureWarning on "[[": the pattern means what it says
        re.compile(pattern)
        tree = parser.parse(pattern)
    return _sequence(tree, bool(tree.state.flags & re.IGNORECASE))


def _sequence(tree: Iterable[tuple[object, object]], ignore_case: bool) -> Chain:
    return Chain(tuple(_node(str(op), av, ignore_case) for op, av in tree))


def _node(op: str, av: object, ignore_case: bool) -> Node:
    if op in _REFUSED:
        raise NotLinearError(_REFUSED[op])
    match op, av:
        case ("LITERAL", int(code)):
            return Char(_cased(((code, code),), ignore_case))
        case ("NOT_LITERAL", int(code)):
            return Char(_inverted(_cased(((code, code),), ignore_case)))
        case ("ANY", _):
            return Char(((0, _LAST),))
        case ("IN", list(items)):
            return Char(_cased(_class(items), ignore_case))
        case ("MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (int(low), high, body)):
            return Repeat(_sequence(body, ignore_case), low, int(high))
        case ("BRANCH", (_, list(options))):
            return Branch(tuple(_sequence(option, ignore_case) for option in options))
        case ("SUBPATTERN", (_, int(added), int(removed), body)):
            inner = (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
            return _sequence(body, inner)
        case ("ATOMIC_GROUP", body):
            return _sequence(body, ignore_case)  # type: ignore[arg-type]
        case ("AT", _):
            return Edge()
    raise NotLinearError(f"it uses a feature that is not understood here ({op.lower()})")


def _class(items: Sequence[tuple[object, object]]) -> Ranges:
    ranges: list[tuple[int, int]] = []
    negated = False
    for op, av in items:
        match str(op), av:
            case ("NEGATE", _):
                negated = True
            case ("LITERAL", int(code)):
                ranges.append((code, code))
            case ("RANGE", (int(low), int(high))):
                ranges.append((low, high))
            case ("CATEGORY", category):
                ranges.extend(_category(str(category)))
    found = tuple(sorted(ranges))
    return _inverted(found) if negated else found


def _category(name: str) -> Ranges:
    plain = name.replace("CATEGORY_NOT_", "CATEGORY_")
    return _CATEGORIES[plain] if plain == name else _inverted(_CATEGORIES[plain])


def _inverted(ranges: Ranges) -> Ranges:
    edges = [(-1, -1), *sorted(ranges), (_LAST + 1, _LAST + 1)]
    gaps = [(left[1] + 1, right[0] - 1) for left, right in pairwise(edges)]
    return tuple((low, high) for low, high in gaps if low <= high)


def _cased(ranges: Ranges, ignore_case: bool) -> Ranges:
    if not ignore_case:
        return ranges
    letters = [(97, 122, -32), (65, 90, 32)]
    swapped = [
        (max(low, first) + shift, min(high, last) + shift)
        for low, high in ranges
        for first, last, shift in letters
        if max(low, first) <= min(high, last)
    ]
    return tuple(sorted((*ranges, *swapped)))


def _overlap(left: Ranges, right: Ranges) -> bool:
    return any(low <= other_high and other_low <= high for low, high in left for other_low, other_high in right)


# --- rules ------------------------------------------------------------------------------------------------------


def _nullable(node: Node) -> bool:
    match node:
        case Char():
            return False
        case Repeat(body, low, _):
            return low == 0 or _nullable(body)
        case Branch(options):
            return any(map(_nullable, options))
        case Chain(items):
            return all(map(_nullable, items))
        case Edge():
            return True


def _first(node: Node) -> Ranges:
    """What a match can begin with."""
    match node:
        case Char(ranges):
            return ranges
        case Repeat(body, _, high):
            return _first(body) if high else ()
        case Branch(options):
            return tuple(part for option in options for part in _first(option))
        case Chain(items):
            return _reachable(items, _first)
        case Edge():
            return ()


def _tail(node: Node) -> Ranges:
    """What a match that could end here could go on with instead."""
    match node:
        case Repeat(body, low, high):
            return (*_tail(body), *(_first(body) if low != high else ()))
        case Branch(options):
            more = _first(node) if _nullable(node) else ()  # `a|ab` is parsed as `a(?:|b)`
            return (*more, *(part for option in options for part in _tail(option)))
        case Chain(items):
            return _reachable(items[::-1], _tail)
        case _:
            return ()


def _reachable(items: Sequence[Node], of: Callable[[Node], Ranges]) -> Ranges:
    """Of the first item, and of the next as long as those before can be empty."""
    found: list[tuple[int, int]] = []
    for item in items:
        found.extend(of(item))
        if not _nullable(item):
            break
    return tuple(found)


def _inside(node: Node) -> Iterable[Node]:
    yield node
    match node:
        case Repeat(body, _, _):
            yield from _inside(body)
        case Branch(parts) | Chain(parts):
            for part in parts:
                yield from _inside(part)
        case _:
            return


def _check(root: Node) -> None:
    for node in _inside(root):
        if isinstance(node, Repeat) and node.large:
            _check_endless(node)
        if isinstance(node, Chain):
            _check_neighbours(node)


def _check_endless(repeat: Repeat) -> None:
    body = repeat.body
    inner = [node for node in _inside(body) if isinstance(node, Repeat) and node.low != node.high]
    if any(node.high > MAX_INNER for node in inner):
        raise NotLinearError("it repeats something that repeats")
    if _nullable(body):
        raise NotLinearError("it repeats something that can be empty")
    if _overlap(_tail(body), _first(body)):
        raise NotLinearError("it repeats something whose end looks like its beginning")
    for node in _inside(body):
        if isinstance(node, Branch) and _ambiguous(node):
            raise NotLinearError("it repeats alternatives that begin alike")


def _ambiguous(branch: Branch) -> bool:
    firsts = [_first(option) for option in branch.options]
    return any(_overlap(left, right) for at, left in enumerate(firsts) for right in firsts[at + 1 :])


def _check_neighbours(sequence: Chain) -> None:
    open_ranges: Ranges = ()
    for item in sequence.items:
        if _overlap(open_ranges, _large_edge(item, at_end=False)):
            raise NotLinearError("it has two repeats in a row that can match the same text")
        ending = _large_edge(item, at_end=True)
        open_ranges = (*open_ranges, *ending) if _nullable(item) else ending


def _large_edge(node: Node, *, at_end: bool) -> Ranges:
    """What the endless repeats match that stand at the beginning, or the end, of a node."""
    match node:
        case Repeat(body, _, _):
            return _first(body) if node.large else _large_edge(body, at_end=at_end)
        case Branch(options):
            return tuple(part for option in options for part in _large_edge(option, at_end=at_end))
        case Chain(items):
            return _reachable(items[::-1] if at_end else items, lambda item: _large_edge(item, at_end=at_end))
        case _:
            return ()


def _chain(node: Node, count: int, ranges: Ranges) -> tuple[int, int, Ranges]:
    """(worst so far, running count, what the last endless repeat matches) after a node.

    The count grows with every endless repeat that can eat what the one before it ate, and starts over at a character
    that the one before cannot match.
    """
    match node:
        case Char(own):
            return (count, count, ranges) if _overlap(own, ranges) else (count, 0, ())
        case Repeat(body, _, _) if node.large:
            own = _first(body)
            grown = count + 1 if count and _overlap(own, ranges) else 1
            return grown, grown, own
        case Repeat(body, low, _):
            worst, after, then = _chain(body, count, ranges)
            return (worst, after, then) if low and after else (max(worst, count), max(count, after), then or ranges)
        case Branch(options):
            ends = [_chain(option, count, ranges) for option in options]
            last = max(ends, key=lambda end: end[1])
            return max(end[0] for end in ends), last[1], last[2]
        case Chain(items):
            worst = count
            for item in items:
                reached, count, ranges = _chain(item, count, ranges)
                worst = max(worst, reached)
            return worst, count, ranges
        case Edge():
            return count, count, ranges


# --- literals ---------------------------------------------------------------------------------------------------


def _runs(node: Node) -> list[str]:
    """Texts of which each stands in every match."""
    runs = [""]
    for item in _flat(node):
        match item:
            case Char(((low, high),)) if low == high:
                runs[-1] += chr(low)
            case Repeat(body, low, _) if low:
                runs.extend((*_runs(body), ""))
            case Edge():
                continue
            case _:
                runs.append("")
    return runs


def _flat(node: Node) -> Iterable[Node]:
    if isinstance(node, Chain):
        for item in node.items:
            yield from _flat(item)
    else:
        yield node
