"""Answers that say no: problem+json (RFC 9457), each with what to do about it."""

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from millrace_core.errors import Problem as Mistake

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "Bad request",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be carried out as it stands",
    428: "Say what you change",
    429: "Too many requests",
    503: "Out of reach",
    500: "Our mistake",
}


class MistakeAt(msgspec.Struct, frozen=True):
    """One thing that is wrong, and where."""

    path: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong and what to do about it."""

    title: str
    status: int
    detail: str
    """In words: what is wrong, and what would be right."""
    type: str = "about:blank"
    problems: list[MistakeAt] = []
    """Every mistake that was found, with its place."""
    answer: Any = None
    """The executor's answer, where it is one that says no."""


class ApiError(Exception):
    """Raised wherever a request cannot be served; answered as problem+json."""

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
            title=_TITLES.get(status, "Refused"),
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
    """Return the refusal for when the database or Redis does not answer."""
    return ApiError(503, f"{what} does not answer; nothing was done: try again", headers={"Retry-After": "2"})


def not_found(what: str) -> ApiError:
    """Return the refusal for what does not exist, or is another tenant's: the two look the same."""
    return ApiError(404, f"there is no {what} for this tenant")
