"""Whether a pattern takes linear time, and which text it cannot match without.

Why a checker and not a time-out: a log is read by the gigabyte, and Python's `re` cannot be interrupted. What makes a
backtracking matcher slow is text that it can read in many ways. So the pattern becomes a graph of its characters:
a loop in which one text can be gone round in two ways is exponential, loops in a row that can take each other's text
are polynomial. What is refused may be harmless; what passes is a polynomial of low degree at worst.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import cast

MAX_CHAIN = 2  # repeats in a row that can eat each other's text (`.*x.*`): the exponent of the worst case
MAX_PATTERN_CHARS = 6000
MAX_PLACES = 6000
MAX_PAIRS = 20_000

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How careful to be."""

    loop_from: int  # a repeat that can go on this long must not be able to read one text in two ways
    endless_from: int  # one that can go on this long counts as endless among its neighbours
    between: int  # characters that keep two endless repeats apart which can take each other's text


THEIRS = Limits(loop_from=2, endless_from=16, between=3)  # nobody has measured a user's pattern
OURS = Limits(loop_from=4, endless_from=64, between=1)  # the shipped ones were measured on hostile lines

Ways = dict[int, int]  # place -> in how many ways
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


def check(pattern: str, limits: Limits = THEIRS) -> None:
    """Raises NotLinearError, or `re.error` for what is no pattern at all."""
    root = parsed(pattern)
    short = Graph(root, loop_from=limits.loop_from)
    if any(_ambiguous(short, loop) for loop in _loops(short)):
        raise NotLinearError("it repeats something that can match the same text in two ways")
    long = Graph(root, loop_from=limits.endless_from)
    _check_rows(long, _loops(long), limits.between)


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


Tree = Iterable[tuple[object, object]]  # what the parser makes: (operation, its arguments)


def _sequence(tree: Tree, ignore_case: bool) -> Chain:
    return Chain(tuple(_node(str(op), av, ignore_case) for op, av in tree))


def _node(op: str, av: object, ignore_case: bool) -> Node:
    if op in _REFUSED:
        raise NotLinearError(_REFUSED[op])
    match op, av:
        case ("AT", _):
            return Edge()
        case ("ANY" | "IN" | "LITERAL" | "NOT_LITERAL", _):
            return Char(_cased(_ranges(op, av), ignore_case))
        case ("BRANCH", (_, list(options))):
            return Branch(tuple(_sequence(option, ignore_case) for option in options))
        case ("MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT", (int(low), int(high), body)):
            return Repeat(_sequence(cast("Tree", body), ignore_case), low, high)
        case ("SUBPATTERN", (_, int(added), int(removed), body)):
            inner = (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
            return _sequence(cast("Tree", body), inner)
        case ("ATOMIC_GROUP", body):
            return _sequence(cast("Tree", body), ignore_case)
    raise NotLinearError(f"it uses a feature that is not understood here ({op.lower()})")


def _ranges(op: str, av: object) -> Ranges:
    match op, av:
        case ("LITERAL", int(code)):
            return ((code, code),)
        case ("NOT_LITERAL", int(code)):
            return _inverted(((code, code),))
        case ("IN", list(items)):
            return _class(items)
        case _:
            return ((0, _LAST),)


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


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the graph: where it begins and ends, and in how many ways it can be empty (2 stands for more)."""

    first: Ways
    last: Ways
    empty: int


class Graph:
    """Which character of a pattern can follow which, and in how many ways (2 stands for more)."""

    def __init__(self, root: Node, *, loop_from: int) -> None:
        """A repeat of `loop_from` or more is a loop; a shorter one is written out, three times at most."""
        self.sets: list[Ranges] = []
        self.after: list[Ways] = []
        self._loop_from = loop_from
        self._add(root)

    def _add(self, node: Node) -> Part:
        match node:
            case Edge():
                return Part({}, {}, 1)
            case Char(ranges):
                return self._char(ranges)
            case Branch(options):
                return _either([self._add(option) for option in options])
            case Chain(items):
                return self._in_a_row([self._add(item) for item in items])
            case Repeat():
                return self._repeat(node)

    def _char(self, ranges: Ranges) -> Part:
        if len(self.sets) >= MAX_PLACES:
            raise NotLinearError("it is too large to be checked")
        self.sets.append(ranges)
        self.after.append({})
        place = {len(self.sets) - 1: 1}
        return Part(place, place, 0)

    def _in_a_row(self, parts: Sequence[Part]) -> Part:
        whole = Part({}, {}, 1)
        for part in parts:
            self._link(whole.last, part.first)
            first = _sum(whole.first, part.first, whole.empty)
            whole = Part(first, _sum(part.last, whole.last, part.empty), min(2, whole.empty * part.empty))
        return whole

    def _repeat(self, node: Repeat) -> Part:
        if node.high == 0:
            return Part({}, {}, 1)
        if node.high < self._loop_from:
            return self._written_out(node.body, node.low, min(node.high, 3))
        body = self._add(node.body)
        if body.empty:
            raise NotLinearError("it repeats something that can be empty")
        self._link(body.last, body.first)
        return body if node.low else Part(body.first, body.last, 1)

    def _written_out(self, body: Node, low: int, high: int) -> Part:
        rest = Part({}, {}, 1)
        for count in range(high, 0, -1):
            once = self._in_a_row([self._add(body), rest])
            rest = once if count <= low else _either([once, Part({}, {}, 1)])
        return rest

    def _link(self, last: Ways, first: Ways) -> None:
        for place, ways in last.items():
            after = self.after[place]
            for then, more in first.items():
                after[then] = min(2, after.get(then, 0) + ways * more)


def _either(parts: Sequence[Part]) -> Part:
    first: Ways = {}
    last: Ways = {}
    for part in parts:
        first, last = _sum(first, part.first, 1), _sum(last, part.last, 1)
    return Part(first, last, min(2, sum(part.empty for part in parts)))


def _sum(ways: Ways, more: Ways, times: int) -> Ways:
    if not times:
        return ways
    total = dict(ways)
    for place, count in more.items():
        total[place] = min(2, total.get(place, 0) + count * times)
    return total


def _loops(graph: Graph) -> list[frozenset[int]]:
    """The sets of places that can be gone round: strongly connected components, by two depth-first passes."""
    before: list[list[int]] = [[] for _ in graph.sets]
    for place, after in enumerate(graph.after):
        for then in after:
            before[then].append(place)
    order: list[int] = []
    seen: set[int] = set()
    for place in range(len(graph.sets)):
        order.extend(_finished(place, graph.after, seen))
    seen = set()
    found = [frozenset(_finished(place, before, seen)) for place in reversed(order)]
    return [loop for loop in found if len(loop) > 1 or any(place in graph.after[place] for place in loop)]


def _finished(start: int, edges: Sequence[Iterable[int]], seen: set[int]) -> list[int]:
    """What is reached from a place and was not seen before, in the order in which it is done with."""
    if start in seen:
        return []
    seen.add(start)
    done: list[int] = []
    stack = [(start, iter(edges[start]))]
    while stack:
        place, rest = stack[-1]
        then = next((other for other in rest if other not in seen), None)
        if then is None:
            done.append(place)
            stack.pop()
        else:
            seen.add(then)
            stack.append((then, iter(edges[then])))
    return done


def _ambiguous(graph: Graph, loop: frozenset[int]) -> bool:
    """One text can be read in two ways on the way round: then n rounds can be read in 2^n ways."""
    if any(ways > 1 for place in loop for then, ways in graph.after[place].items() if then in loop):
        return True
    inner = {place: [then for then in graph.after[place] if then in loop] for place in loop}
    back: dict[tuple[int, int], list[tuple[int, int]]] = {}
    todo = [(place, place) for place in loop]
    while todo:
        pair = todo.pop()
        for then in inner[pair[0]]:
            for other in inner[pair[1]]:
                if _overlap(graph.sets[then], graph.sets[other]):
                    known = back.setdefault((then, other), [])
                    if not known and then != other:
                        todo.append((then, other))
                    known.append(pair)
        if len(back) > MAX_PAIRS:
            raise NotLinearError("it is too large to be checked")
    return _returns(back)


def _returns(back: dict[tuple[int, int], list[tuple[int, int]]]) -> bool:
    """Two readings that parted come together again."""
    return any(before[0] != before[1] for pair, befores in back.items() if pair[0] == pair[1] for before in befores)


def _check_rows(graph: Graph, loops: Sequence[frozenset[int]], between: int) -> None:
    """Loops in a row must not eat each other's text: not side by side, nor more than MAX_CHAIN of them."""
    home = {place: number for number, loop in enumerate(loops) for place in loop}
    next_loops = [_next_loops(graph, loop, home, between) for loop in loops]

    @cache
    def length(number: int) -> int:
        return 1 + max((length(then) for then in next_loops[number]), default=0)

    if any(length(number) > MAX_CHAIN for number in range(len(loops))):
        raise NotLinearError("too many repeats in a row can match the same text")


def _next_loops(graph: Graph, loop: frozenset[int], home: dict[int, int], between: int) -> set[int]:
    """The loops that come after a loop and can take some of its text, with what it can match between them."""
    own = tuple(part for place in loop for part in graph.sets[place])
    found: set[int] = set()
    seen = set(loop)
    todo = deque((place, 0) for place in loop)  # shortest way first
    while todo:
        place, distance = todo.popleft()
        for then in graph.after[place]:
            if then in seen or not _overlap(own, graph.sets[then]):
                continue
            seen.add(then)
            if then not in home:
                todo.append((then, distance + 1))
            elif distance < between:
                raise NotLinearError("it has two repeats in a row that can match the same text")
            else:
                found.add(home[then])
    return found


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
