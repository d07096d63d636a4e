"""How often the verdict is right on logs of services that nobody here wrote: `python -m tests.score_strangers`.

`tests/strangers/` holds simulated logs of four dozen services, each in its own format and wording (Chinese, German,
Japanese, Russian and Spanish among them), with a label that a careful reader can defend from the log alone. They were
made without knowledge of the program. What it says of them was looked at once and then improved, so that this is no
longer what a log that nobody has seen would get: at first sight 25 of the 51 of the `second` set were right, 30 of the
67 of the `third`, and 24 of the 85 of the `fourth`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.collecting import collect
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Status, Verdict

FOLDER = Path(__file__).parent / "strangers"
BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01))


class Label(NamedTuple):
    """What a log holds. `causes`: any of them is a fair first; none for healthy ones and for those that cannot say."""

    path: Path
    status: Status
    causes: frozenset[str]


def labels(folder: Path = FOLDER) -> Iterator[Label]:
    for table in sorted(folder.glob("*/labels.json")):
        for name, label in sorted(json.loads(table.read_text(encoding="utf-8")).items()):
            fair = frozenset(label["causes"][:1] + label.get("acceptable", []))
            yield Label(table.parent / f"{name}.xz", Status(label["status"]), fair)


def judged(label: Label) -> Verdict:
    return judge([collect([str(label.path)])], all_causes())


def right(label: Label, verdict: Verdict) -> bool:
    if label.status is not Status.STALLS_FOUND:
        return verdict.status is label.status
    return verdict.status is label.status and verdict.findings[0].cause in label.causes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only logs with one of these in their name")
    words = parser.parse_args().words
    found: dict[str, list[bool]] = defaultdict(list)
    claimed: dict[tuple[float, float], list[bool]] = defaultdict(list)
    for label in labels():
        if words and not any(word in label.path.name for word in words):
            continue
        verdict = judged(label)
        hit = right(label, verdict)
        found[f"{label.path.parent.name}: {label.status.value}"].append(hit)
        top = verdict.findings[0] if verdict.findings else None
        if top is not None and verdict.status is Status.STALLS_FOUND:
            bounds = next(each for each in BINS if each[0] <= top.probability < each[1])
            claimed[bounds].append(top.cause in label.causes)
        said = f"{top.cause} {top.probability:.2f}" if top is not None else "-"
        wanted = ", ".join(sorted(label.causes)) or "-"
        print(  # noqa: T201 - a command that prints its figures
            f"{'ok' if hit else '--'}  {label.path.stem:<26} {label.status.value:<22} {wanted:<34}"
            f" {verdict.status.value:<22} {said}",
            flush=True,
        )
    for name, hits in sorted(found.items()):
        print(f"{name:<32} right: {sum(hits)} of {len(hits)}")  # noqa: T201
    for (low, high), hits in sorted(claimed.items()):
        print(f"claimed {low:.0%} to {min(high, 1.0):.0%}: right {sum(hits)} of {len(hits)}")  # noqa: T201


if __name__ == "__main__":
    main()
