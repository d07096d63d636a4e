"""Nothing wrong: a busy, healthy service with many quiet sockets and a collector that runs often and briefly."""

from __future__ import annotations

from dataclasses import replace

from taskdoctor.demo.fault import Fault
from taskdoctor.demo.settings import Settings

QUIET_SOCKETS = 30  # two tasks each: the connection and its handler


def _busy(settings: Settings) -> Settings:
    return replace(settings, idle_sockets=QUIET_SOCKETS, gc_thresholds=(60, 4, 5), freeze=True)


FAULT = Fault(
    name="none",
    cause="",
    summary="healthy: 60 legitimate long-lived tasks, frequent harmless collections",
    lengths_s=(1.0, 2.0),
    adjust=_busy,
)
