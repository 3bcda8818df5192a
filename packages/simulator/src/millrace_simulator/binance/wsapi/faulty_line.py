"""Answers and events over the WebSocket API, as they are meant or with a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from millrace_simulator.faults import EventLine, FaultKind, FaultRule, Faults
from millrace_simulator.faults.refusals import REFUSALS
from millrace_simulator.faults.rule import NOT_CARRIED_OUT, OVER_SOCKET
from millrace_simulator.streaming.connection import ClientConnection
from millrace_simulator.streaming.frames import text_frame
from millrace_simulator.venue import Clock


class FaultyLine:
    """The way of a session's answers and events to its client."""

    def __init__(self, connection: ClientConnection, faults: Faults, clock: Clock) -> None:
        self._connection = connection
        self._faults = faults
        self._clock = clock
        self.event = EventLine(connection, faults).send
        """Sends an event by its name."""
        self._former: Any = {}
        """The result of the last request that made an order."""

    def answer(self, text: str, carry_out: Callable[[str], bytes]) -> None:
        """Have a request carried out and answer it, unless something happens to it."""
        if (rule := self._faults.rule) is None:
            self._send(carry_out(text))
            return
        request = _fields(text)
        kind = self._faults.next(str(request.get("method", "")).removeprefix("v3/"), OVER_SOCKET)
        if kind is FaultKind.DROPPED:
            self._connection.abort()
        elif kind in NOT_CARRIED_OUT:
            pausing = None if kind is FaultKind.REVOKED else rule
            self._send(self._refusal(request.get("id"), kind, pausing))
        else:
            with self._faults.while_carried_out(kind, text):
                answer = carry_out(text)
            self._carried_out(answer, kind, rule)

    def _carried_out(self, answer: bytes, kind: FaultKind | None, rule: FaultRule) -> None:
        said = _fields(answer.decode())
        match kind:
            case FaultKind.LOST:
                self._connection.abort()
            case FaultKind.LATE:
                asyncio.get_running_loop().call_later(rule.late_ms / 1000, self._send, answer)
            case FaultKind.HANGING:
                pass
            case FaultKind.GARBLED:
                self._send(self._faults.garbled(answer.decode()).encode())
            case FaultKind.FAILED:
                self._send(self._refusal(said.get("id"), kind, None))
            case FaultKind.FOREIGN:
                self._send(msgspec.json.encode({**said, "status": 200, "result": self._former}))
            case _:
                for _ in range(2 if kind is FaultKind.DOUBLED else 1):
                    self._send(answer)
        if "orderId" in str(said.get("result")):
            self._former = said["result"]

    def _refusal(self, number: Any, kind: FaultKind, rule: FaultRule | None) -> bytes:
        status, error = REFUSALS["binance"][kind]
        answer = {"id": number, "status": status, "error": dict(error)}
        if rule is not None:
            now_ms = self._clock.now_us() // 1000
            answer["error"]["data"] = {"serverTime": now_ms, "retryAfter": now_ms + rule.retry_after_s * 1000}
        return msgspec.json.encode(answer)

    def _send(self, answer: bytes) -> None:
        self._connection.send(text_frame(answer))


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
