"""Files that the API exports, passed on to the browser as they come, in the name of a signed-in account."""

from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

import aiohttp
from fastapi import Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.background import BackgroundTask

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiError, ApiRefused
from millrace_console.place import address

PASSED = ("format", "since", "until", "exchange", "symbol", "source")
"""The parameters that the API's exports take."""
_HEADERS = ("content-type", "content-disposition")


def export_link(tenant: str, kind: str, query: Mapping[str, str | None]) -> str:
    """Return the address of a file within the console."""
    return address(f"/exports/{kind}", {"tenant": (tenant,)} | {n: (each,) for n, each in query.items() if each})


async def download(api: Api, accounts: Sequence[Account], kind: str, query: Mapping[str, str]) -> Response:
    """Return an export of the tenant that the query names, streamed; or the reason why there is none."""
    account = next((each for each in accounts if each.tenant == query.get("tenant")), None)
    if account is None:
        return PlainTextResponse("this browser is not signed in to that tenant: sign in, and try again", 403)
    asked = {name: query[name] for name in PASSED if name in query}
    try:
        answer = await api.stream(account, f"/exports/{quote(kind, safe='')}", asked)
    except ApiError as error:
        return PlainTextResponse(str(error), error.status if isinstance(error, ApiRefused) else 503)
    headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    return StreamingResponse(_pieces(answer), headers=headers, background=BackgroundTask(answer.close))


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for piece in answer.content.iter_any():
        yield piece
