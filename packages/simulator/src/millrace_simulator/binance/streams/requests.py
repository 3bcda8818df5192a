"""Requests on a market stream connection, and their responses.

    {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}   →   {"result": null, "id": 1}

Pure: text in, a typed request or a `BadRequestError` out. Codes and texts are those of
https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "Error Messages".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

RequestId = int | str | None
"""Echoed as it came, type included: 0 and null are ids like any other."""

_COMBINED = "combined"
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID_TEXT = re.compile(r"[A-Za-z0-9_-]{0,36}")


class BadRequestError(Exception):
    """A rejected request; it has changed nothing."""

    def __init__(self, code: int, message: str, request_id: RequestId = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Start sending streams; those that are sent already stay as they are."""

    id: RequestId
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop sending these streams; those that are not sent are no error."""

    id: RequestId
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListSubscriptions:
    """Return the streams that are sent."""

    id: RequestId


@dataclass(frozen=True, slots=True)
class SetCombined:
    """Wrap events as `{stream, data}` from now on, or no longer."""

    id: RequestId
    combined: bool


@dataclass(frozen=True, slots=True)
class GetCombined:
    """Tell whether events are wrapped."""

    id: RequestId


Request = Subscribe | Unsubscribe | ListSubscriptions | SetCombined | GetCombined


def parse_request(text: str) -> Request:
    """Return the client's request.

    Raises:
        BadRequestError: with Binance's code and text, and the id if one could be read.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequestError(3, f"Invalid JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequestError(2, "Invalid request: expected an object")
    request_id = _request_id(document.get("id"))
    method = document.get("method")
    if method is None:
        raise BadRequestError(2, "Invalid request: missing field `method`", request_id)
    if method not in _METHODS:
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        raise BadRequestError(2, f"Invalid request: unknown variant `{method}`, expected one of {expected}", request_id)
    params = document.get("params", [])
    if not isinstance(params, list):
        raise BadRequestError(2, "Invalid request: expected a sequence for `params`", request_id)
    return _typed(method, params, request_id)


def answer(request_id: RequestId, result: object) -> bytes:
    """Return the JSON of an answer; `result` is null for all but queries."""
    return msgspec.json.encode({"result": result, "id": request_id})


def refusal(error: BadRequestError) -> bytes:
    """Return the JSON of the answer to a request that was refused."""
    return msgspec.json.encode({"error": {"code": error.code, "msg": error.message}, "id": error.request_id})


def _request_id(value: object) -> RequestId:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
        return value
    if isinstance(value, str) and _ID_TEXT.fullmatch(value):
        return value
    raise BadRequestError(2, "Invalid request: request ID must be an unsigned integer")


def _typed(method: str, params: list[object], request_id: RequestId) -> Request:
    if method == "SUBSCRIBE":
        return Subscribe(request_id, _streams(params, request_id))
    if method == "UNSUBSCRIBE":
        return Unsubscribe(request_id, _streams(params, request_id))
    if method == "LIST_SUBSCRIPTIONS":
        if params:
            raise BadRequestError(2, "Invalid request: too many parameters", request_id)
        return ListSubscriptions(request_id)
    return _property(method, params, request_id)


def _streams(params: list[object], request_id: RequestId) -> tuple[str, ...]:
    streams = tuple(stream for stream in params if isinstance(stream, str) and stream)
    if len(streams) != len(params):
        raise BadRequestError(2, "Invalid request: invalid stream", request_id)
    return streams


def _property(method: str, params: list[object], request_id: RequestId) -> SetCombined | GetCombined:
    if not params or not isinstance(params[0], str):
        raise BadRequestError(2, "Invalid request: property name must be a string", request_id)
    if params[0] != _COMBINED:
        raise BadRequestError(0, "Unknown property", request_id)
    values = params[1:]
    if len(values) > (1 if method == "SET_PROPERTY" else 0):
        raise BadRequestError(2, "Invalid request: too many parameters", request_id)
    if method == "GET_PROPERTY":
        return GetCombined(request_id)
    if not values or not isinstance(values[0], bool):
        raise BadRequestError(1, "Invalid value type: expected Boolean", request_id)
    return SetCombined(request_id, values[0])
