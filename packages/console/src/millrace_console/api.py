"""The API over HTTP, as any other client uses it. See docs/api.md."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from millrace_console.accounts import Account
from millrace_core.errors import MillraceError
from millrace_core.http_sessions import sends_once
from millrace_core.json_problems import UNREADABLE

PREFIX = "/api/v1"
TIMEOUT_S = 15.0
"""How long the API may be silent."""
MAX_CONNECTIONS = 64
_KEPT_S = 30.0
"""How long a connection is kept for the next question: the API closes an idle one after 60 s."""


class ApiError(MillraceError):
    """The API did not do what was asked; the text says what to do."""


class ApiAway(ApiError):
    """The API does not answer."""


class ApiRefused(ApiError):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = str(problem.get("detail") or problem.get("title") or f"the API answered {status}")
        super().__init__(detail)
        self.status = status
        self.problems: list[dict[str, str]] = list(problem.get("problems") or ())
        """Every mistake: `path` and `message`."""
        self.body = problem


class Source(Protocol):
    """Answers questions: the API itself, or a poll that several pages share."""

    async def get(self, account: Account, path: str, **query: Any) -> Any:
        """Return the answer to a question, decoded from JSON; a query's value of None is left out.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """


class Api:
    """Questions to the API, each in the name of one account."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _http(self) -> aiohttp.ClientSession:
        # Made with the first question, since it belongs to the event loop in which it is made.
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=_KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return sends_once(session)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def get(self, account: Account, path: str, **query: Any) -> Any:
        """Return the answer to a question, decoded from JSON; a query's value of None is left out.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """
        return await self.ask(account, "GET", path, query=query)

    async def ask(
        self,
        account: Account | None,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer's JSON; None if it has no body.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """
        sent = dict(headers or {})
        if account is not None:
            sent["authorization"] = f"Bearer {account.token}"
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        if content is not None:
            sent["content-type"] = "application/json"
        try:
            async with self._http.request(
                method, self._at(path, query or {}), data=content, headers=sent, allow_redirects=False
            ) as answer:
                status, text = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error
        if _is_success(status):
            return _json(status, text)
        raise _refused(status, text)

    def _at(self, path: str, query: Mapping[str, Any]) -> str:
        parameters = encoded(query)
        return f"{self.url}{PREFIX}{path}" + (f"?{parameters}" if parameters else "")

    def _away(self, error: Exception) -> ApiAway:
        return ApiAway(f"the API does not answer at {self.url} ({type(error).__name__})")

    async def stream(self, account: Account, path: str, query: Mapping[str, Any]) -> aiohttp.ClientResponse:
        """Return an answer whose body is still to be read; the caller closes it.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """
        headers = {"authorization": f"Bearer {account.token}"}
        try:
            answer = await self._http.get(self._at(path, query), headers=headers, allow_redirects=False)
            if _is_success(answer.status):
                return answer
            text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error
        raise _refused(answer.status, text)

    async def session(self, token: str) -> Account:
        """Return the account of a token.

        Raises:
            ApiError: the token is not valid, or the API does not answer.
        """
        unknown = Account("", "", "read", is_operator=False, token=token)
        found = await self.get(unknown, "/session")
        return Account(found["tenant"], found["name"], found["role"], found["isOperator"], token)

    async def redeem(self, code: str) -> tuple[Account, ...]:
        """Return the accounts of a sign-in code, which works once.

        Raises:
            ApiError: the code is used up or too old, or the API does not answer.
        """
        found = await self.ask(None, "POST", "/session/code", body={"code": code})
        return tuple([await self.session(each["token"]) for each in found["items"]])


def encoded(query: Mapping[str, Any]) -> str:
    """Return parameters as an address has them; a value of None is left out, a list is a parameter repeated."""
    return urlencode(
        {name: _text(value) for name, value in query.items() if value is not None}, doseq=True, quote_via=quote
    )


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _is_success(status: int) -> bool:
    return status // 100 == 2


def _refused(status: int, text: bytes) -> ApiRefused:
    problem = _json(status, text)
    return ApiRefused(status, problem if isinstance(problem, dict) else {})


def _json(status: int, text: bytes) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except UNREADABLE:
        return {"detail": f"the API answered {status} with what is no JSON"}
