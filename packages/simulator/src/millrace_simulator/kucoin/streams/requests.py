"""Requests of a client of streams, and their responses: `{"id": "1", "type": "subscribe", "topic": …}`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """What a client asks."""

    id: str | int | None = None
    type: str = ""
    topic: str = ""
    private_channel: bool = False
    response: bool = False

    @property
    def id_text(self) -> str:
        """Return the id as responses name it."""
        return "" if self.id is None else str(self.id)


class BadRequestError(Exception):
    """A refused request; it has changed nothing."""

    def __init__(self, code: int, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


def parse_request(text: str) -> Request:
    """Return the client's request.

    Raises:
        BadRequestError: it is no JSON object of this form.
    """
    try:
        return msgspec.json.decode(text, type=Request)
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequestError(400, "message is not a valid request") from None


def welcome(connect_id: str, ping_interval_ms: int, ping_timeout_ms: int) -> bytes:
    """Return the message with which a connection begins."""
    return _encode(
        {"id": connect_id, "type": "welcome", "pingInterval": ping_interval_ms, "pingTimeout": ping_timeout_ms}
    )


def answer(request: Request, kind: Literal["ack", "pong"], **more: Any) -> bytes:
    """Return the answer to a request that was carried out."""
    return _encode({"id": request.id_text, "type": kind, **more})


def refusal(error: BadRequestError) -> bytes:
    """Return the answer to a request that was refused."""
    return _encode({"id": error.request_id, "type": "error", "code": error.code, "data": error.message})
