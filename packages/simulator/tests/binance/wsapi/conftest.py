"""A simulator in this process with an HMAC and an Ed25519 account, and clients of its WebSocket API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve
from millrace_simulator.venue import AccountSettings

HMAC_KEY, HMAC_SECRET = "hmac-key", "hmac-secret"
ED25519_KEY, ED25519_PRIVATE = "ed25519-key", Ed25519PrivateKey.from_private_bytes(b"a test's key, thirty-two bytes..")
BALANCES = {"USDT": Decimal(1_000_000), "BTC": Decimal(100), "KCS": Decimal(1_000)}


class ApiClient:
    """A client of the WebSocket API; messages other than responses are kept in `events`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._last_id = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the whole answer to a request."""
        self._last_id += 1
        await self.socket.send_json({"id": self._last_id, "method": method, "params": params})
        while True:
            message: dict[str, Any] = await self.socket.receive_json()
            if message.get("id") == self._last_id:
                return message
            self.events.append(message)

    async def result(self, method: str, **params: Any) -> Any:
        """Return the result of a request that must succeed."""
        answer = await self.call(method, **params)
        assert answer["status"] == 200, answer
        return answer["result"]

    async def refusal(self, method: str, **params: Any) -> int:
        """Return the error code of a request that must be refused."""
        return int((await self.call(method, **params))["error"]["code"])

    async def reported(self) -> list[dict[str, Any]]:
        """Return every event sent until now and not given before: a request is answered after what was sent before it.

        Events that a request caused follow its answer, so a second request brings those of the first.
        """
        await self.call("ping")
        reported, self.events = self.events, []
        return reported


def signed(**params: Any) -> dict[str, Any]:
    """Return the parameters with the HMAC account's key, the time and a signature."""
    stamped = {"apiKey": HMAC_KEY, "timestamp": time.time_ns() // 1_000_000, **params}
    signature = hmac.new(HMAC_SECRET.encode(), _payload(stamped).encode(), hashlib.sha256).hexdigest()
    return {**stamped, "signature": signature}


def ed25519_signed(**params: Any) -> dict[str, Any]:
    """Return the parameters with the Ed25519 account's key, the time and a signature."""
    stamped = {"apiKey": ED25519_KEY, "timestamp": time.time_ns() // 1_000_000, **params}
    signature = base64.b64encode(ED25519_PRIVATE.sign(_payload(stamped).encode())).decode()
    return {**stamped, "signature": signature}


def _payload(params: dict[str, Any]) -> str:
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
    return "&".join(f"{name}={texts[name]}" for name in sorted(texts))


Signer = Callable[..., dict[str, Any]]
Connect = Callable[..., Awaitable[ApiClient]]


@pytest.fixture
def sign() -> Signer:
    """Return the function that signs for the HMAC account."""
    return signed


@pytest.fixture
def sign_ed25519() -> Signer:
    """Return the function that signs for the Ed25519 account."""
    return ed25519_signed


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Return an exchange of two symbols, whose full books stand still, and two accounts."""
    public_key = ED25519_PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    accounts = (
        AccountSettings(api_key=HMAC_KEY, secret=HMAC_SECRET, balances=BALANCES),
        AccountSettings(api_key=ED25519_KEY, public_key=public_key, balances=BALANCES),
    )
    listed = tuple(rules for rules in default_config().symbols if rules.symbol in ("BTCUSDT", "KCSUSDT"))
    config = msgspec.structs.replace(default_config(), symbols=listed, accounts=accounts)
    async with await serve(config, drive_market=False) as running:
        yield running


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    """Return a function that opens the WebSocket API, with a query if one is given."""
    async with aiohttp.ClientSession() as session:

        async def _connect(query: str = "") -> ApiClient:
            return ApiClient(await session.ws_connect(f"{server.url}/ws-api/v3{query}"))

        yield _connect


@pytest.fixture
async def client(connect: Connect) -> ApiClient:
    """Return a connected client."""
    return await connect()
