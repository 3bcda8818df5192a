"""Error responses: problem+json (RFC 9457), each with what to do about it."""

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from millrace_core.errors import Problem as Mistake

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "Bad request",
    401: "Authentication required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Payload too large",
    422: "Unprocessable content",
    428: "Precondition required",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


class MistakeAt(msgspec.Struct, frozen=True):
    """One mistake in a request."""

    path: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The reason why a request failed, and what to do about it."""

    title: str
    status: int
    detail: str
    """What is wrong and what to do."""
    type: str = "about:blank"
    problems: list[MistakeAt] = []
    """Every mistake that was found, with its path."""
    answer: Any = None
    """The executor's answer, when it rejected the request."""


class ApiError(Exception):
    """A request cannot be served; becomes a problem+json response."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        problems: Iterable[Mistake] = (),
        headers: dict[str, str] | None = None,
        answer: object = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.details = ProblemDetails(
            title=_TITLES.get(status, "Error"),
            status=status,
            detail=detail,
            problems=[MistakeAt(path, message) for path, message in problems],
            answer=answer,
        )
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the problem as a response."""
        return Response(
            msgspec.json.encode(self.details), status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def unavailable(what: str) -> ApiError:
    """Return the error for a database or Redis that does not answer."""
    return ApiError(503, f"{what} does not answer; nothing was done: try again", headers={"Retry-After": "2"})


def refused(reason: str) -> ApiError:
    """Return the error for what Redis refuses, such as a write while it is out of memory."""
    return ApiError(503, f"Redis refuses it; nothing was done: {reason}", headers={"Retry-After": "2"})


def not_found(what: str) -> ApiError:
    """Return the 404 for data that does not exist or belongs to another tenant: both look the same."""
    return ApiError(404, f"there is no {what} for this tenant")
