"""Long-term memory: a graph of nodes that point at each other, and the ranking of what fits a question."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from itertools import pairwise

from taskdoctor.demo.levers import ServiceLevers

STEP_NODES = 4_000  # about a millisecond
HUBS, EDGES, STRIDE = 200_000, 12, 37
SNIPPETS = tuple(f"note {number} on topic {number % 17} with person {number % 29}" for number in range(400))

Node = list[object]


def _graph(nodes: int) -> list[Node]:
    """Nodes that each point at a dozen others, all reachable from each other: the collector has to walk every edge."""
    hubs: list[Node] = [[] for _ in range(HUBS)]
    random.Random(HUBS).shuffle(hubs)
    for hub, after in pairwise(hubs):
        hub.append(after)
    hubs[-1].append(hubs)
    return [
        list(hubs[start : start + EDGES]) for start in (number * STRIDE % (HUBS - EDGES) for number in range(nodes))
    ]


class Memory:
    """Nodes that stay, and nodes that a long conversation brings in for a while."""

    def __init__(self, levers: ServiceLevers) -> None:
        self._levers = levers
        self._nodes: list[Node] = []
        self._passing: list[list[int]] = []

    def load(self, nodes: int) -> None:
        """Read the stored graph, before anyone is served."""
        gc.disable()
        self._nodes = _graph(nodes) if nodes else []
        gc.enable()

    async def absorb(self) -> None:
        """Take in a long conversation step by step until the collector has been through the graph, then let go."""
        with self._levers.absorbed.applied() as wanted:
            if not wanted:
                return
            before = gc.get_stats()[2]["collections"]
            while gc.get_stats()[2]["collections"] == before and len(self._passing) < wanted:
                self._passing.extend([number] for number in range(STEP_NODES))
                await asyncio.sleep(0.001)
        while self._passing:
            del self._passing[-STEP_NODES:]
            await asyncio.sleep(0.001)

    def rank(self, question: str) -> list[str]:
        """The snippets nearest to a question, by shared character pairs."""
        wanted = _pairs(question)
        with self._levers.rerank_s.applied() as extra_s:
            begun_s = time.thread_time()
            scored = sorted(SNIPPETS[:40], key=lambda snippet: _overlap(snippet, wanted), reverse=True)
            while time.thread_time() - begun_s < extra_s:  # a question that matches all of it
                scored = sorted(SNIPPETS, key=lambda snippet: _overlap(snippet, wanted), reverse=True)
        return scored[:3]


def _pairs(text: str) -> set[str]:
    return {text[index : index + 2] for index in range(len(text) - 1)}


def _overlap(text: str, wanted: set[str]) -> float:
    have = _pairs(text)
    return len(have & wanted) / (len(have | wanted) or 1)
