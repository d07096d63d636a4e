"""Not MCP at all: a job of somebody."""

import time

time.sleep(3600)
