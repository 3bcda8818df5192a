"""The API as the console asks it."""

import asyncio

import pytest

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiAway

ANN = Account("T", "Ann", "trade", is_operator=False, token="secret")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
async def test_a_change_is_asked_for_once(method: str) -> None:
    """A kept connection that ends without an answer is no reason to ask again: the API may have done it."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := (await reader.readline()).decode():
            asked.append(request.split()[0])
            while await reader.readline() not in (b"\r\n", b""):
                pass
            if asked[-1] != "GET":
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    api = Api(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await api.get(ANN, "/session")
    with pytest.raises(ApiAway):
        await api.ask(ANN, method, "/orders/1")
    assert asked == ["GET", method]
    await api.close()
    server.close()
