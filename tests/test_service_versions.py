"""Every version of aiomonitor that is promised, and uvloop: installed once into a cache, then watched for real.

`TASKDOCTOR_INSTALL=1 python -m pytest tests/test_service_versions.py` fills the cache; without it what is not there is
skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import attach, free_ports

pytestmark = pytest.mark.long

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "taskdoctor-tests"
TARGET = Path(__file__).with_name("target_versions.py")
VERSIONS = {
    "0.4.5": ("aiomonitor==0.4.5",),
    "0.5.0": ("aiomonitor==0.5.0",),
    "0.6.0": ("aiomonitor==0.6.0",),
    "0.7.1-uvloop": ("aiomonitor==0.7.1", "uvloop"),
    "ng-0.7.2": ("aiomonitor-ng==0.7.2",),
}


def _python(name: str) -> str:
    folder = CACHE / f"aiomonitor-{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    marker = folder / "complete"
    if not marker.exists():
        if not os.environ.get("TASKDOCTOR_INSTALL"):
            pytest.skip("not in the cache; TASKDOCTOR_INSTALL=1 installs it")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        made = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", *VERSIONS[name]], check=False, capture_output=True
        )
        if made.returncode:
            pytest.skip(f"cannot be installed here: {made.stderr.decode()[-200:]}")
        marker.touch()
    return str(python)


@pytest.mark.parametrize("name", VERSIONS)
def test_version(name: str) -> None:
    port = free_ports()
    options = ["uvloop"] if "uvloop" in name else []
    command = [_python(name), "-W", "ignore", str(TARGET), str(port), *options]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        run = attach(f"127.0.0.1:{port}", "--json", "-d", "4s")
    finally:
        service.kill()
        out, _ = service.communicate()
    assert out == ""
    document = json.loads(run.stdout)
    groups = {group["coroutine"]: group["count"] for group in document["tasks"]["groups"]}
    assert groups["worker()"] == 3
    assert any("target_versions.py" in stack["site"] for stack in document["blocked"])
    assert document["verdict"]["causes"][0]["cause"] == "blocking-call"
