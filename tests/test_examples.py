"""Every cause proves itself: its examples go through the whole pipe, from bytes to verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskdoctor.causes import all_causes
from taskdoctor.collectors.logs.collecting import collect
from taskdoctor.diagnosis.verdict import judge
from taskdoctor.model import Cause, Example, Status

CASES = [(cause, example) for cause in all_causes() for example in cause.examples]


@pytest.mark.parametrize(("cause", "example"), CASES, ids=[f"{cause.id}: {example.name}" for cause, example in CASES])
def test_example(cause: Cause, example: Example, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text(example.log, encoding="utf-8")
    verdict = judge([collect([str(log)])], all_causes())
    blamed = [finding.cause for finding in verdict.findings]
    if example.wins:
        assert verdict.status is Status.STALLS_FOUND, verdict.summary
        assert blamed[0] == cause.id
    else:
        assert cause.id not in blamed
