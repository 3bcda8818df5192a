"""Parameters that a route does not have: refused, since a filter that is mistyped would widen what is asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import Request

from millrace_api.problems import ApiError
from millrace_core.errors import Problem


def only_known(document: Callable[[], dict[str, Any]]) -> Callable[[Request], None]:
    """Return the dependency that refuses parameters of which OpenAPI's `document` does not tell."""

    @cache
    def known() -> dict[str, list[str]]:
        return {
            operation["operationId"]: [
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
            ]
            for methods in document()["paths"].values()
            for operation in methods.values()
        }

    def check(request: Request) -> None:
        names = known()[request.scope["route"].operation_id]
        if strange := [name for name in request.query_params if name not in names]:
            there = ", ".join(names) or "none"
            problems = [Problem(f"query.{name}", f"is no parameter here; these are: {there}") for name in strange]
            raise ApiError(422, "the request has mistakes; nothing was done", problems=problems)

    return check
