"""Requests over the WebSocket API with each kind of key, at the simulator."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from libs.exchange.tests.conftest import credentials_at
from msgspec.structs import replace

from millrace_core.requests import CreatePayload
from millrace_exchange import open_exchange
from millrace_simulator.binance.wsapi.requests import ApiRequest
from millrace_simulator.binance.wsapi.session import ApiSession
from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve

BID = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[ApiRequest]:
    """What the simulator received over its WebSocket API."""
    requests: list[ApiRequest] = []
    perform = ApiSession._perform

    def noting(session: ApiSession, request: ApiRequest) -> Any:
        requests.append(request)
        return perform(session, request)

    monkeypatch.setattr(ApiSession, "_perform", noting)
    return requests


def key_pair() -> tuple[str, str]:
    """Return a new private key and its public key, as PEM."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public.decode()


@pytest.fixture
async def key_and_venue() -> AsyncIterator[tuple[str, Server]]:
    """A private key, and an exchange that knows its public key."""
    private, public = key_pair()
    config = default_config()
    account = replace(config.accounts[0], secret=None, public_key=public)
    async with await serve(replace(config, accounts=(account,)), drive_market=False) as server:
        yield private, server


async def test_an_ed25519_key_signs_once_a_connection(
    key_and_venue: tuple[str, Server], received: list[ApiRequest]
) -> None:
    """No order carries a signature after the logon."""
    private, server = key_and_venue
    exchange = await open_exchange("binance", credentials_at(server.url).model_copy(update={"secret": private}))
    await exchange.prepare()
    placed = await exchange.execution.create_order(BID, "one")
    await exchange.close()
    assert placed.orders[0].status == "open"
    assert [request.method for request in received] == ["session.logon", "account.status", "order.place"]
    assert [request.signature is not None for request in received] == [True, False, False]


async def test_a_key_that_cannot_log_on_is_refused_over_http(key_and_venue: tuple[str, Server]) -> None:
    """The account ends with the exchange's own words about its key."""
    _, server = key_and_venue
    wrong, _ = key_pair()
    exchange = await open_exchange("binance", credentials_at(server.url).model_copy(update={"secret": wrong}))
    with pytest.raises(Exception, match="-1022") as refused:
        await exchange.prepare()
    await exchange.close()
    assert type(refused.value).__name__ == "Fatal"


async def test_a_shared_secret_signs_every_request(simulator: Server, received: list[ApiRequest]) -> None:
    """An order goes over the socket, in one request."""
    exchange = await open_exchange("binance", credentials_at(simulator.url))
    await exchange.prepare()
    await exchange.execution.create_order(BID, "one")
    await exchange.close()
    assert [request.method for request in received] == ["account.status", "order.place"]
    assert all(request.signature is not None for request in received)
