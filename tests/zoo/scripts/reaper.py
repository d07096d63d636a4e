"""Adopts what loses its parent below it, as `systemd --user` does, and fetches what ends: `reaper.py COMMAND...`."""

import contextlib
import ctypes
import os
import subprocess
import sys
import time

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
subprocess.Popen(sys.argv[1:])
while True:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    time.sleep(0.2)
