"""The API over HTTP, as any other client uses it. See docs/api.md."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx
import msgspec

from millrace_console.accounts import Account
from millrace_core.errors import MillraceError
from millrace_core.json_problems import UNREADABLE

PREFIX = "/api/v1"
TIMEOUT_S = 15.0


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
        self._http = httpx.AsyncClient(
            base_url=url + PREFIX,
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, account: Account, path: str, **query: Any) -> Any:
        """Return the answer to a question, decoded from JSON; a query's value of None is left out.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """
        answer, _ = await self.ask(account, "GET", path, query=query)
        return answer

    async def ask(
        self,
        account: Account | None,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, httpx.Headers]:
        """Return the answer's JSON (None if it has no body) and its headers.

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
            answer = await self._http.request(method, path, params=present(query or {}), content=content, headers=sent)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.is_success:
            return _json(answer), answer.headers
        raise _refused(answer)

    def _away(self, error: httpx.HTTPError) -> ApiAway:
        return ApiAway(f"the API does not answer at {self.url} ({type(error).__name__})")

    async def stream(self, account: Account, path: str, query: Mapping[str, Any]) -> httpx.Response:
        """Return an answer whose body is still to be read; the caller closes it.

        Raises:
            ApiAway: it does not answer.
            ApiRefused: it answered with a problem.
        """
        headers = {"authorization": f"Bearer {account.token}"}
        asked = self._http.build_request("GET", path, params=present(query), headers=headers)
        try:
            answer = await self._http.send(asked, stream=True)
            if answer.is_success:
                return answer
            await answer.aread()
        except httpx.HTTPError as error:
            raise self._away(error) from error
        raise _refused(answer)

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
        found, _ = await self.ask(None, "POST", "/session/code", body={"code": code})
        return tuple([await self.session(each["token"]) for each in found["items"]])


def present(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a question that are sent."""
    return {name: value for name, value in query.items() if value is not None}


def _refused(answer: httpx.Response) -> ApiRefused:
    problem = _json(answer)
    return ApiRefused(answer.status_code, problem if isinstance(problem, dict) else {})


def _json(answer: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content) if answer.content else None
    except UNREADABLE:
        return {"detail": f"the API answered {answer.status_code} with what is no JSON"}
