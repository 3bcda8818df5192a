import asyncio

from millrace_bus import Arrived
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_executor.accepted_request import AcceptedRequest, AccountKey, read
from millrace_executor.intake.router import RequestRouter

TENANT = Tenant("StrankaXY")
BINANCE = AccountKey(TENANT, ExchangeId("binance"))
RAW = b'{"action":"cancelAllOrders","exchangeId":"binance"}'


class Account:
    """An account that notes what it takes."""

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols
        self.taken: list[AcceptedRequest] = []

    def take(self, accepted: AcceptedRequest) -> None:
        """Take a request."""
        self.taken.append(accepted)


class Rejections:
    """The reasons for which requests were rejected without an account."""

    def __init__(self) -> None:
        self.reasons: asyncio.Queue[str] = asyncio.Queue()

    def reject(self, accepted: AcceptedRequest, reason: str) -> None:
        """Note the reason."""
        self.reasons.put_nowait(reason)


def request(rejections: Rejections) -> AcceptedRequest:
    async def acknowledge() -> None:
        """Nothing has to be acknowledged here."""

    accepted = read(Arrived(TENANT, RAW, None, 0, 0), acknowledge, rejections.reject)
    assert isinstance(accepted, AcceptedRequest)
    return accepted


def stream(exchange: str, symbol: str | None) -> StreamName:
    return StreamName(TENANT, ExchangeId(exchange), Action("createOrder"), None if symbol is None else Symbol(symbol))


async def test_a_request_goes_to_the_account_that_is_open() -> None:
    """An open account takes a request at once."""
    router, account = RequestRouter(), Account()
    router.open(BINANCE, account)
    first = request(Rejections())
    router.route(first)
    assert account.taken == [first]


async def test_requests_wait_for_an_account_that_opens_soon() -> None:
    """An account that restarts gets, in their order, the requests that came while it was closed."""
    router, account = RequestRouter(), Account()
    router.open(BINANCE, account)
    router.close(BINANCE, account)
    first, second = request(Rejections()), request(Rejections())
    router.route(first)
    router.route(second)
    assert account.taken == []
    router.open(BINANCE, account)
    assert account.taken == [first, second]
    router.shut()


async def test_a_request_for_no_account_is_rejected() -> None:
    """When no account opens in time the reason names what to configure, and which accounts there are."""
    router, rejections = RequestRouter(grace_s=0.01), Rejections()
    router.open(AccountKey(TENANT, ExchangeId("kucoin")), Account())
    router.route(request(rejections))
    reason = await rejections.reasons.get()
    assert "exchanges.StrankaXY.binance" in reason
    assert "kucoin" in reason


def test_an_account_that_restarts_is_still_known_with_its_markets() -> None:
    """What an account trades stays known while it is closed, and until the next one knows its own markets."""
    router, before, after = RequestRouter(), Account("KCS/USDT"), Account()
    for open_or_close in (router.open, router.close):
        open_or_close(BINANCE, before)
        assert router.known_part(stream("binance", "KCS/USDT")) == stream("binance", "KCS/USDT")
    router.open(BINANCE, after)
    assert router.known_part(stream("binance", "KCS/USDT")) == stream("binance", "KCS/USDT")
    after.symbols = ("ETH/BTC",)
    assert router.known_part(stream("binance", "KCS/USDT")) == stream("binance", None)
    assert router.known_part(stream("kraken", "KCS/USDT")) == stream("unknown", None)
