import asyncio
from secrets import token_hex

from millrace_bus import Arrived
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_executor.accepted_request import AcceptedRequest, AccountKey, read
from millrace_executor.intake.router import RequestRouter

TENANT = Tenant("StrankaXY")
BINANCE = AccountKey(TENANT, ExchangeId("binance"))


class Account:
    """An account that notes what it takes."""

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols
        self.taken: list[AcceptedRequest] = []

    def take(self, accepted: AcceptedRequest) -> None:
        """Take a request."""
        self.taken.append(accepted)


class Answers:
    """The answers to requests that no account took."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[Response] = asyncio.Queue()

    def note(self, accepted: AcceptedRequest, answer: Response) -> None:
        """Note an answer."""
        self.all.put_nowait(answer)


def request(answers: Answers, valid_for: int = 5_000) -> AcceptedRequest:
    async def acknowledge() -> None:
        """Nothing has to be acknowledged here."""

    raw = b'{"action":"cancelAllOrders","exchangeId":"binance","validFor":%d}' % valid_for
    accepted = read(Arrived(TENANT, raw, "1-0", token_hex(4), now_ms(), 0), acknowledge, answers.note)
    assert isinstance(accepted, AcceptedRequest)
    return accepted


def stream(exchange: str, symbol: str | None) -> StreamName:
    return StreamName(TENANT, ExchangeId(exchange), Action("createOrder"), None if symbol is None else Symbol(symbol))


async def test_a_request_goes_to_the_account_that_is_open() -> None:
    """An open account takes a request at once."""
    router, account = RequestRouter(), Account()
    router.open(BINANCE, account)
    first = request(Answers())
    router.route(first)
    assert account.taken == [first]


async def test_requests_wait_for_an_account_that_opens_soon() -> None:
    """An account that restarts gets, in their order, the requests that came while it was closed."""
    router, account = RequestRouter(), Account()
    router.open(BINANCE, account)
    router.close(BINANCE, account)
    first, second = request(Answers()), request(Answers())
    router.route(first)
    router.route(second)
    assert account.taken == []
    router.open(BINANCE, account)
    assert account.taken == [first, second]
    router.shut()


async def test_a_request_for_no_account_is_rejected() -> None:
    """When no account opens in time the reason names what to configure, and which accounts there are."""
    router, answers = RequestRouter(grace_s=0.01), Answers()
    router.open(AccountKey(TENANT, ExchangeId("kucoin")), Account())
    router.route(request(answers))
    answer = await answers.all.get()
    assert answer.status == "rejected"
    assert "exchanges.StrankaXY.binance" in answer.error.message
    assert "kucoin" in answer.error.message


async def test_a_request_for_an_account_that_restarts_waits_while_it_is_valid() -> None:
    """However long its account takes, it is never told that there is no such account."""
    router, answers, account = RequestRouter(grace_s=0.01), Answers(), Account()
    router.configure(TENANT, {BINANCE.exchange})
    short, long = request(answers, valid_for=50), request(answers)
    router.route(short)
    router.route(long)
    answer = await answers.all.get()
    assert (answer.request_id, answer.status) == (short.request_id, "expired")
    router.open(BINANCE, account)
    assert account.taken == [long]


async def test_nothing_waits_for_the_accounts_of_a_tenant_that_another_executor_acts_for() -> None:
    """Its requests are the other's to answer, and its accounts take nothing more."""
    router, answers, account = RequestRouter(grace_s=0.01), Answers(), Account()
    router.open(BINANCE, account)
    router.forget(TENANT)
    router.route(request(answers))
    assert account.taken == []
    router.forget(TENANT)
    await asyncio.sleep(0.02)
    assert answers.all.empty()


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
