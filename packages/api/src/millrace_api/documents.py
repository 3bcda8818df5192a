"""Request and response bodies as JSON, and their OpenAPI schemas: both come from msgspec structs."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from millrace_api.problems import MEDIA_TYPE, ApiError, ProblemDetails
from millrace_core.json_problems import UNREADABLE, problem_of
from millrace_core.json_text import json_text

T = TypeVar("T")

MAX_BODY = 1_000_000
"""Bytes that a request body may have; the largest configurations are a tenth of it."""
_documented: dict[str, type] = {}
"""Every type in a request or response, by its name in OpenAPI."""
REF = "#/components/schemas/{name}"


class PageOf(msgspec.Struct, Generic[T], frozen=True):
    """One page of a query's rows, in order."""

    items: list[T]
    next_cursor: str | None
    """Send it as `cursor` with the same query for the next page; null on the last page."""


class ListOf(msgspec.Struct, Generic[T], frozen=True):
    """All items, in order."""

    items: list[T]


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as JSON; decimals become strings without exponents, so that no digit is lost."""
    return Response(json_text(value), status_code=status, headers=dict(headers or {}), media_type="application/json")


def returns(model: Any, *, status: int = 200, also: Mapping[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route: `model` with `status`, and the errors in `also`."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": _schema(model)}}}
    }
    return responses | {code: returns_problem(text) for code, text in (also or {}).items()}


def returns_problem(description: str) -> dict[str, Any]:
    """Return the OpenAPI response of an error."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": _schema(ProblemDetails)}}}


def accepts(model: Any) -> dict[str, Any]:
    """Return the OpenAPI request body of a route."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _schema(model)}}}}


def body_of(model: type[T], most: int = MAX_BODY) -> Callable[[Request], Awaitable[T]]:
    """Return the dependency that decodes a request's body, of at most so many bytes."""
    decoder = msgspec.json.Decoder(model)

    async def read(request: Request) -> T:
        try:
            return decoder.decode(await raw_body(request, most))
        except UNREADABLE as error:
            problem = problem_of(error)
            raise ApiError(422, f"the body is invalid: {problem}", problems=[problem]) from error

    return read


async def raw_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return a request's body.

    Raises:
        ApiError: it is larger than so many bytes.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise ApiError(413, f"the body is longer than {most:,} bytes")
        parts.append(part)
    return b"".join(parts)


def components() -> dict[str, Any]:
    """Return the schemas of all request and response bodies."""
    _, found = msgspec.json.schema_components(list(_documented.values()), ref_template=REF)
    return {name: _plain(schema) for name, schema in found.items()}


def _plain(schema: Any) -> Any:
    """Return a schema with pairs of numbers as arrays: client generators do not support `prefixItems`."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(part) for name, part in schema.items()}
    parts = plain.get("prefixItems")
    if isinstance(parts, list) and all(part == parts[0] for part in parts):
        del plain["prefixItems"]
        plain["items"] = parts[0]
    return plain


@cache
def _schema(model: Any) -> dict[str, Any]:
    (schema,), found = msgspec.json.schema_components([model], ref_template=REF)
    for name in found:
        _documented.setdefault(name, model)
    return schema
