"""Requests of the WebSocket API: `{id, method, params}` in, `{id, status, result | error, rateLimits}` out.

Source: https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/request-format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.binance.times import TimeUnit

RequestId = int | str | None
"""Echoed as it came, type included."""

_VERSION_PREFIX = "v3/"


class _Envelope(msgspec.Struct):
    method: str
    id: RequestId = None
    params: dict[str, msgspec.Raw] | None = None


class _IdOnly(msgspec.Struct):
    id: RequestId = None


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request; parameters are the texts that a signature covers."""

    id: RequestId
    method: str
    parameters: Parameters

    @property
    def signature(self) -> str | None:
        """Return the signature, if the request carries one."""
        return self.parameters.values.get("signature")

    @property
    def signed_payload(self) -> str:
        """Return the text that a signature must cover: all other parameters, sorted by name."""
        others = sorted((name, value) for name, value in self.parameters.values.items() if name != "signature")
        return "&".join(f"{name}={value}" for name, value in others)


_envelopes = msgspec.json.Decoder(_Envelope)
_ids = msgspec.json.Decoder(_IdOnly)
_texts = msgspec.json.Decoder(str)


def parse_request(text: str) -> ApiRequest:
    """Return the request that a message holds.

    Raises:
        BinanceError: -1135, it is no JSON object with a method and parameters.
    """
    try:
        envelope = _envelopes.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BinanceError(-1135, f"Invalid JSON Request: {error}") from error
    values = {name: _as_text(bytes(raw)) for name, raw in (envelope.params or {}).items()}
    present = {name: value for name, value in values.items() if value is not None}
    return ApiRequest(envelope.id, envelope.method.removeprefix(_VERSION_PREFIX), Parameters(present))


def readable_id(text: str) -> RequestId:
    """Return the id of a message that is not a request, so that the error can be matched; null without one."""
    try:
        return _ids.decode(text).id
    except (msgspec.DecodeError, RecursionError):
        return None


def succeeded(request_id: RequestId, result: Any, rate_limits: list[dict[str, Any]] | None, unit: TimeUnit) -> bytes:
    """Return the answer to a request that was carried out; without `rate_limits` it tells none."""
    return _encode({"id": request_id, "status": int(HTTPStatus.OK), "result": result}, rate_limits, unit)


def failed(
    request_id: RequestId, error: BinanceError, rate_limits: list[dict[str, Any]] | None, unit: TimeUnit
) -> bytes:
    """Return the answer to a request that was refused."""
    return _encode({"id": request_id, "status": error.status, "error": error.payload()}, rate_limits, unit)


def _encode(answer: Mapping[str, Any], rate_limits: list[dict[str, Any]] | None, unit: TimeUnit) -> bytes:
    return unit.encode(answer if rate_limits is None else {**answer, "rateLimits": rate_limits})


def _as_text(raw: bytes) -> str | None:
    # A number stays as its digits were sent: read and printed again, 1e-5 would no longer fit the signature.
    if raw.startswith(b'"'):
        return _texts.decode(raw)
    return None if raw == b"null" else raw.decode()
