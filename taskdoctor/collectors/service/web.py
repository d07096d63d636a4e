"""The web port of aiomonitor 0.6 and later: tasks as JSON, no framing to guess.

Never DELETE, which cancels. Every answer is bounded in bytes and in time; a redirect or a page is no answer.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping

from taskdoctor.collectors.service.address import Address
from taskdoctor.collectors.service.tasks import TaskRecord
from taskdoctor.collectors.service.wire import ChannelError, GoneError, SilentError

MOST_BYTES = 64 * 1024 * 1024
ANSWER_S = 5.0
CHUNK_BYTES = 1 << 16


class Web:
    """Asks the web port; each question is a connection of its own."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.read_bytes = 0

    def version(self, *, timeout_s: float = ANSWER_S) -> str:
        """The version of aiomonitor. Raises ChannelError when it is not aiomonitor that answers."""
        return str(self._value(self._ask("GET", "/api/version", None, timeout_s)))

    def tasks(self, *, timeout_s: float = ANSWER_S) -> list[TaskRecord]:
        answer = self._ask("POST", "/api/live-tasks", "filter=&persistent=false", timeout_s)
        listed = answer.get("tasks") if isinstance(answer, Mapping) else None
        if not isinstance(listed, list):
            raise self._nonsense()
        return [_record(entry) for entry in listed if isinstance(entry, Mapping)]

    def _value(self, answer: object) -> object:
        if not isinstance(answer, Mapping) or "value" not in answer:
            raise self._nonsense()
        return answer["value"]

    def _ask(self, method: str, path: str, form: str | None, timeout_s: float) -> object:
        late_s = time.monotonic() + timeout_s
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=timeout_s)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
        try:
            connection.request(method, path, body=form, headers=headers if form is not None else {})
            response = connection.getresponse()
            body = self._read(response, late_s)
        except TimeoutError as error:
            raise SilentError(f"the web port {self.address} did not answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise GoneError(f"the web port {self.address} does not answer") from error
        finally:
            connection.close()
        if response.status != 200:
            raise ChannelError(f"the web port {self.address} answers {response.status}")
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self._nonsense() from error

    def _read(self, response: http.client.HTTPResponse, late_s: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            self.read_bytes += len(chunk)
            if len(body) > MOST_BYTES or time.monotonic() > late_s:
                raise TimeoutError
        return bytes(body)

    def _nonsense(self) -> ChannelError:
        return ChannelError(f"what answers at {self.address} is not aiomonitor")


def _record(entry: Mapping[str, object]) -> TaskRecord:
    texts = {
        name: str(entry.get(name, "")) for name in ("task_id", "state", "name", "coro", "created_location", "since")
    }
    return TaskRecord(
        id=texts["task_id"],
        state=texts["state"],
        name=texts["name"],
        coroutine=texts["coro"],
        site="" if texts["created_location"] == "-" else texts["created_location"],
        since=texts["since"],
    )
