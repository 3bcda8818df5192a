"""Faults of answers over HTTP, for every dialect."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from millrace_simulator.faults.refusals import REFUSALS, pause_headers
from millrace_simulator.faults.rule import NOT_CARRIED_OUT, OVER_HTTP, FaultKind, FaultRule, Faults
from millrace_simulator.listings import DialectName

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HUNG_UP: Final = (FaultKind.LOST, FaultKind.HANGING)


def faulty_answers(faults: Faults, dialect: DialectName, exempt: str) -> Middleware:
    """Return what lets faults happen to all requests of an application but those under one path."""
    answers = _Answers(faults, dialect)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if faults.rule is None or is_socket or request.path.startswith(exempt):
            return await handler(request)
        return await answers.answer(request, handler, faults.rule)

    return answer


class _Answers:
    """Answers requests, with faults by the rule in force."""

    def __init__(self, faults: Faults, dialect: DialectName) -> None:
        self._faults = faults
        self._dialect = dialect
        self._former = "{}"
        """The last answer that names an order. A refusal names none: no client can tell whose it is."""

    async def answer(self, request: web.Request, handler: Handler, rule: FaultRule) -> web.StreamResponse:
        """Have a request carried out and answer it, unless something happens to it."""
        kind = self._faults.next(f"{request.method} {request.path}", OVER_HTTP)
        if kind is FaultKind.DROPPED:
            return _hung_up(request)
        if kind in NOT_CARRIED_OUT:
            return self._refusal(kind, pause_headers(self._dialect, kind, rule.retry_after_s))
        # Read before it is carried out, so that nothing else happens meanwhile.
        text = f"{request.raw_path} {await request.text()}"
        with self._faults.while_carried_out(kind, text):
            said = await handler(request)
        if kind in _HUNG_UP:
            if kind is FaultKind.HANGING:
                await self._faults.lifted.wait()
            return _hung_up(request)
        return await self._spoiled(request, said, kind, rule)

    async def _spoiled(
        self, request: web.Request, said: web.StreamResponse, kind: FaultKind | None, rule: FaultRule
    ) -> web.StreamResponse:
        text = (said.text or "") if isinstance(said, web.Response) else ""
        match kind:
            case FaultKind.LATE:
                await asyncio.sleep(rule.late_ms / 1000)
            case FaultKind.GARBLED:
                return web.Response(text=self._faults.garbled(text))
            case FaultKind.CORRUPT:
                return _corrupt(text)
            case FaultKind.FAILED:
                return self._refusal(kind, {})
            case FaultKind.FOREIGN:
                return web.Response(text=self._former, content_type="application/json")
        if request.method == "POST" and said.status == HTTPStatus.OK and '"orderId"' in text:
            self._former = text
        return said

    def _refusal(self, kind: FaultKind, headers: dict[str, str]) -> web.Response:
        status, error = REFUSALS[self._dialect][kind]
        return web.Response(
            body=msgspec.json.encode(error), status=status, headers=headers, content_type="application/json"
        )


def _corrupt(text: str) -> web.Response:
    """Return an answer whose compressed form breaks off into something else."""
    packed = gzip.compress(text.encode())
    body = packed[: len(packed) // 2] + b"\xff" * 20
    return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")


def _hung_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
