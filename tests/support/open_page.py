"""A page of the console as a browser holds it, without a browser: loaded and connected, and drawn nowhere."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

_TIMES = 2
_OF_A_HANDSHAKE = 3
"""Frames: one more shows that the page itself was taken."""
_ALIVE = '42["alive"]'


async def sign_in(http: aiohttp.ClientSession, url: str, *tokens: str) -> None:
    """Sign a session in to the console at an address."""
    for token in tokens:
        async with http.post("/sign-in/token", data=token, headers={"Origin": url}) as answer:
            assert answer.status == 200, await answer.text()


class OpenPage:
    """A page as a browser holds it: loaded, and connected, but drawn nowhere."""

    def __init__(self, http: aiohttp.ClientSession, path: str) -> None:
        self._http, self._path = http, path
        self._next_message = 0
        self.received: list[str] = []
        """The page as it was loaded, then every frame."""
        self.is_open = asyncio.Event()
        self.is_settled = asyncio.Event()
        """Set once the page has been heard of twice, by when it has asked the API for everything."""

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Keep the page open during a block, which begins once it has settled."""
        running = asyncio.create_task(self.run())
        settled = asyncio.create_task(self.is_settled.wait())
        try:
            async with asyncio.timeout(60):
                await asyncio.wait({running, settled}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            yield
        finally:
            running.cancel()
            settled.cancel()
            await asyncio.wait({running, settled})

    async def run(self) -> None:
        """Stay open until cancelled; connect again whenever the connection is lost, as a browser does.

        Raises:
            ConnectionError: the console takes the page no more.
            aiohttp.ClientError: there is no console.
        """
        async with self._http.get(self._path) as answer:
            self.received.append(await answer.text())
        query = self._query(self.received[0])
        while True:
            known = len(self.received)
            query["next_message_id"] = str(self._next_message)
            async with self._http.ws_connect(
                "/_nicegui_ws/socket.io/", params=query, max_msg_size=0, compress=15
            ) as socket:
                async for frame in socket:
                    self.received.append(str(frame.data))
                    if self.received.count(_ALIVE) >= _TIMES:
                        self.is_settled.set()
                    await self._take(socket, str(frame.data), query["client_id"])
            if len(self.received) < known + _OF_A_HANDSHAKE:
                raise ConnectionError(f"the console takes the page {self._path} no more")

    def _query(self, text: str) -> dict[str, str]:
        found = re.search(r"'client_id': '([^']+)'", text)
        assert found, text[:500]
        own = {name: str(uuid.uuid4()) for name in ("tab_id", "document_id")}
        transport = {"EIO": "4", "transport": "websocket", "implicit_handshake": "true"}
        return {**transport, **own, "client_id": found[1]}

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, text: str, client_id: str) -> None:
        if text.startswith("0"):
            await socket.send_str("40")
        elif text == "2":
            await socket.send_str("3")
        elif text.startswith("40"):
            self.is_open.set()
        elif text.startswith("42"):
            sent: Any = [*json.loads(text[2:]), None]
            if isinstance(sent[1], dict) and (number := sent[1].get("_id")) is not None:
                self._next_message = number + 1
                acknowledged = {"client_id": client_id, "next_message_id": number + 1}
                await socket.send_str(f"42{json.dumps(['ack', acknowledged])}")
            if sent[0] == "run_javascript" and (request := sent[1].get("request_id")):
                answer = {"client_id": client_id, "request_id": request, "result": None}
                await socket.send_str(f"42{json.dumps(['javascript_response', answer])}")
