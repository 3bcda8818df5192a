"""The application: every route, with errors that say what to do; all that shows data is behind authentication."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from millrace_api.access.middleware import CLIENT_LEFT, AccessMiddleware
from millrace_api.access.sessions import COOKIE
from millrace_api.documents import components, json_response, returns_problem
from millrace_api.parameters import only_known
from millrace_api.problems import ApiError, refused, unavailable
from millrace_api.reference import reference_page
from millrace_api.routes import (
    account,
    agents,
    config_list,
    configs,
    exports,
    halts,
    health,
    market,
    operations,
    orders,
    portfolio,
    redis_browser,
    session,
    tenants,
    tokens,
)
from millrace_api.services import Services
from millrace_bus import BusError
from millrace_core.config.reading import message_of
from millrace_core.errors import Problem
from millrace_store import AmbiguousOrder, BadCursor, DatabaseUnavailable, QuestionTooLarge

PREFIX = "/api/v1"
_ROUTERS = (
    market,
    account,
    portfolio,
    operations,
    orders,
    halts,
    agents,
    config_list,
    configs,
    exports,
    tokens,
    tenants,
    redis_browser,
    session,
)
_ANY_ROUTE: dict[int | str, dict[str, Any]] = {
    401: returns_problem("The token is missing, unknown, revoked or expired."),
    403: returns_problem("The token's role does not allow it, or the data belongs to another tenant."),
    404: returns_problem("Not found for this tenant."),
    422: returns_problem("Invalid request; `problems` lists every mistake."),
    429: returns_problem("Too many requests; try again after Retry-After seconds."),
    503: returns_problem("The database or Redis does not answer; nothing was done."),
}
_ABOUT = (
    "History, live streams, trading and configuration of millrace. The tenant comes from the token. See docs/api.md."
)
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "`mr_…`, made by `millrace tokens create`."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A browser's session."},
}

log = structlog.get_logger()


def make_app(services: Services) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="millrace", version=version("millrace-api"), openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    checked = [Depends(only_known(lambda: _openapi(app)))]
    for module in _ROUTERS:
        app.include_router(module.router, prefix=PREFIX, responses=_ANY_ROUTE, dependencies=checked)
    app.add_api_route(f"{PREFIX}/openapi.json", lambda: json_response(_openapi(app)), include_in_schema=False)
    app.add_api_route("/docs", lambda: reference_page(_openapi(app)), include_in_schema=False)
    app.include_router(health.router, responses=_ANY_ROUTE, dependencies=checked)
    app.add_middleware(AccessMiddleware, services=services)
    _add_handlers(app)
    _add_handlers_of_questions(app)
    _openapi(app)  # built now, since the first request for it would block all others
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=_ABOUT,
            routes=app.routes,
            separate_input_output_schemas=False,
        )
        parts = document.setdefault("components", {})
        parts["schemas"] = components()
        parts["securitySchemes"] = _SECURITY
        document["security"] = [{name: []} for name in _SECURITY]
        app.openapi_schema = document
    return app.openapi_schema


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> Response:
        request.state.reason = str(error)
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
        return ApiError(422, "invalid request; nothing was changed", problems=_mistakes(error.errors())).response()

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        text = f"no such route: {request.method} {request.url.path}; GET {PREFIX}/openapi.json lists all"
        detail = text if error.status_code in (404, 405) else str(error.detail)
        return ApiError(error.status_code, detail, headers=headers).response()

    @app.exception_handler(DatabaseUnavailable)
    async def on_database_unavailable(request: Request, error: DatabaseUnavailable) -> Response:
        return unavailable("the database").response()

    @app.exception_handler(BusError)
    async def on_bus_error(request: Request, error: BusError) -> Response:
        log.warning("Redis did not serve a request", method=request.method, path=request.url.path, cause=str(error))
        return refused(str(error)).response()

    @app.exception_handler(ClientDisconnect)
    async def on_client_left(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def on_unexpected_error(request: Request, error: Exception) -> Response:
        log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
        return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the API's log").response()


def _add_handlers_of_questions(app: FastAPI) -> None:
    @app.exception_handler(BadCursor)
    async def on_bad_cursor(request: Request, error: BadCursor) -> Response:
        return ApiError(422, str(error), problems=[Problem("query.cursor", str(error))]).response()

    @app.exception_handler(QuestionTooLarge)
    async def on_question_too_large(request: Request, error: QuestionTooLarge) -> Response:
        return ApiError(422, str(error), problems=[Problem("query.interval", str(error))]).response()

    @app.exception_handler(AmbiguousOrder)
    async def on_ambiguous_order(request: Request, error: AmbiguousOrder) -> Response:
        text = f"{error}: set `symbol` and `exchange` to select one"
        return ApiError(422, text, problems=[Problem("query.symbol", "set one of the symbols")]).response()


def _mistakes(errors: Sequence[Any]) -> list[Problem]:
    return [Problem(".".join(str(part) for part in each["loc"]), message_of(each)) for each in errors]
