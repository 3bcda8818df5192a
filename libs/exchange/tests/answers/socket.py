"""Binance's WebSocket API, at an exchange that says whatever a test wants."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from libs.exchange.tests.answers.reply import Reply
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from millrace_exchange.native.binance.request_api import METHODS

_ENDPOINTS = {name: endpoint for endpoint, name in METHODS.items()}


class ScriptedSocket(WSListener):
    """Answers each request as the one to the same endpoint over HTTP is answered, in a frame."""

    def __init__(self, answer: Callable[[bytes], Reply], requests: list[bytes], opened: list[WSTransport]) -> None:
        self._answer = answer
        self._requests = requests
        self._opened = opened

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Note it."""
        self._opened.append(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a request."""
        if frame.msg_type is not WSMsgType.TEXT:
            return
        request = json.loads(frame.get_payload_as_bytes())
        method, path = _ENDPOINTS[request["method"]]
        self._requests.append(f"{method} /api/v3/{path}?{urlencode(request['params'])}".encode())
        reply = self._answer(self._requests[-1])
        if not reply.hangs_up and not reply.is_held:
            answer = framed(request["id"], reply)
            # As a proxy may divide it.
            transport.send(WSMsgType.TEXT, answer[:-1], fin=False)
            transport.send(WSMsgType.CONTINUATION, answer[-1:])
        if reply.hangs_up or reply.announced is not None:
            transport.disconnect(graceful=False)


def framed(number: int, reply: Reply) -> bytes:
    """Return the frame for an answer over HTTP; one that is no JSON stands for itself."""
    envelope: dict[str, Any] = {"id": number, "status": reply.status}
    try:
        content = json.loads(reply.body)
    except ValueError:
        is_whole = reply.status >= HTTPStatus.BAD_REQUEST or not reply.body.strip()
        return json.dumps(envelope).encode() if is_whole else reply.body
    return json.dumps({**envelope, "error" if reply.status >= HTTPStatus.BAD_REQUEST else "result": content}).encode()
