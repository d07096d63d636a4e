"""No service that nobody here wrote is accused of what it does not have."""

from __future__ import annotations

import pytest

from taskdoctor.model import Status
from tests.score_strangers import Label, judged, labels

HEALTHY = [label for label in labels() if label.status is Status.HEALTHY]


@pytest.mark.parametrize("label", HEALTHY, ids=lambda label: label.path.stem)
def test_a_healthy_service_is_not_accused(label: Label) -> None:
    verdict = judged(label)
    assert verdict.status is not Status.STALLS_FOUND, verdict.summary


def test_labels_and_logs_belong_together() -> None:
    folders = {label.path.parent for label in labels()}
    assert {label.path for label in labels()} == {path for folder in folders for path in folder.glob("*.xz")}
