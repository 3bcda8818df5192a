"""The API of a running platform, asked as a program of a tenant's would ask it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from tests.support.platform import PATIENCE, Platform, until

from millrace_cli import tokens
from millrace_core.names import tenant

TENANT = tenant("StrankaXY")


class Answer(NamedTuple):
    """What the API said, and how."""

    status: int
    body: Any


class Api:
    """Asks with the token of one tenant."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        """Send a request; return its status and body."""
        async with self.http.request(method, f"/api/v1{path}", **arguments) as response:
            return Answer(response.status, await response.json(content_type=None))

    async def get(self, path: str, **parameters: Any) -> Any:
        """Return what is there.

        Raises:
            AssertionError: the API did not return it; the text says why.
        """
        answer = await self.ask("GET", path, params=parameters)
        assert answer.status == 200, f"{path} {parameters}: {answer}"
        return answer.body

    async def all(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return all rows of a history, page by page."""
        rows: list[dict[str, Any]] = []
        page = await self.get(path, **parameters)
        while True:
            rows += page["items"]
            if page["next_cursor"] is None:
                return rows
            page = await self.get(path, **parameters, cursor=page["next_cursor"])

    async def text(self, path: str, **parameters: Any) -> str:
        """Return a file."""
        async with self.http.get(f"/api/v1{path}", params=parameters) as response:
            response.raise_for_status()
            return await response.text()


@asynccontextmanager
async def api_of(platform: Platform) -> AsyncIterator[Api]:
    """Return the API of a platform, once it is ready, with a new token that may trade."""
    assert platform.database is not None
    token = await tokens.create(platform.database.url, TENANT, f"test {os.urandom(4).hex()}", "trade", days=1)
    address, headers = f"http://127.0.0.1:{platform.api_port}", {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(address, headers=headers, timeout=PATIENCE) as http:

        async def is_ready() -> bool:
            try:
                async with http.get("/ready") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until(is_ready, "the API is ready", platform=platform)
        yield Api(http)
