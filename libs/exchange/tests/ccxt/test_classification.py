import asyncio

import aiohttp
import pytest
from ccxt.base import errors as ccxt

from millrace_exchange import ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable, classify
from millrace_exchange.ccxt.classification import LIMITED_RETRY_AFTER_MS, meaning_of

DUPLICATE = ccxt.InvalidOrder('binance {"code":-2010,"msg":"Duplicate order sent."}')
REVOKED = ccxt.DDoSProtection('binance {"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}')

TABLE: list[tuple[BaseException, type[ExchangeError]]] = [
    (ccxt.ExchangeError("binance truncated"), OutcomeUnknown),
    (ccxt.ExchangeError('binance {"code":-1008,"msg":"Server is currently overloaded"}'), OutcomeUnknown),
    (ccxt.RequestTimeout("binance POST"), OutcomeUnknown),
    (ccxt.ExchangeNotAvailable("binance 502"), OutcomeUnknown),
    (ccxt.OnMaintenance("binance 503"), OutcomeUnknown),
    (ccxt.OperationFailed('binance {"code":-1006}'), OutcomeUnknown),
    (ccxt.NetworkError("closed"), OutcomeUnknown),
    (ccxt.BadResponse("binance not JSON"), OutcomeUnknown),
    (ccxt.NullResponse("binance null"), OutcomeUnknown),
    (asyncio.CancelledError(), OutcomeUnknown),
    (TimeoutError(), OutcomeUnknown),
    (KeyError("orderId"), OutcomeUnknown),
    (DUPLICATE, OutcomeUnknown),
    (ccxt.DuplicateOrderId("okx 51016"), OutcomeUnknown),
    (ccxt.InvalidNonce('binance {"code":-1021}'), Retryable),
    (ccxt.DDoSProtection("binance 429 Too Many Requests"), Retryable),
    (ccxt.RateLimitExceeded('binance {"code":-1015}'), Retryable),
    (ccxt.ExchangeClosedByUser("closed"), Retryable),
    (REVOKED, Fatal),
    (ccxt.AuthenticationError('binance {"code":-2015}'), Fatal),
    (ccxt.AccountSuspended("suspended"), Fatal),
    (ccxt.PermissionDenied("not in this market"), Rejected),
    (ccxt.InsufficientFunds("binance"), Rejected),
    (ccxt.BadSymbol("binance X/Y"), Rejected),
    (ccxt.ArgumentsRequired("binance price"), Rejected),
    (ccxt.BadRequest('binance {"code":-1013}'), Rejected),
    (ccxt.InvalidOrder("binance LOT_SIZE"), Rejected),
    (ccxt.OrderImmediatelyFillable("binance"), Rejected),
    (ccxt.OrderNotFound("binance -2011"), Rejected),
    (ccxt.MarketClosed("binance"), Rejected),
    (ccxt.NotSupported("binance"), Rejected),
]


@pytest.mark.parametrize(("error", "meaning"), TABLE, ids=lambda value: getattr(value, "__name__", repr(value))[:60])
def test_each_line_of_the_table_has_its_meaning(error: BaseException, meaning: type[ExchangeError]) -> None:
    """What ccxt raises for an order means what was seen to have happened at the exchange."""
    found = classify("binance", "createOrder", error)
    assert type(found) is meaning
    assert (found.exchange, found.action, found.kind) == ("binance", "createOrder", type(error).__name__)


def test_an_order_without_an_id_may_be_there() -> None:
    """An answer that names no order proves nothing; one that does has no meaning but itself."""
    assert type(classify("binance", "createOrder", {"id": None, "info": {}})) is OutcomeUnknown
    assert classify("binance", "createOrder", {"id": "1"}) is None


def test_what_never_left_us_was_not_done() -> None:
    """A failure before anything was sent, or without a connection at all, may be tried again."""
    assert type(meaning_of("binance", "createOrder", ccxt.NetworkError("no"), sent=False)) is Retryable
    refused = ccxt.ExchangeNotAvailable("binance POST")
    key = aiohttp.client_reqrep.ConnectionKey("127.0.0.1", 1, False, True, None, None, None)
    refused.__cause__ = aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "refused"))
    assert type(meaning_of("binance", "createOrder", refused)) is Retryable


@pytest.mark.parametrize("action", ["fetchOrder", "loadMarkets", "watchOrderBook"])
def test_a_question_is_never_in_doubt(action: str) -> None:
    """What only asks leaves nothing behind."""
    assert type(classify("binance", action, ccxt.RequestTimeout("slow"))) is Retryable


def test_a_limit_says_how_long_to_wait() -> None:
    """The exchange's own word comes first, else there is a cautious one; a wrong clock need not wait."""
    limited = ccxt.DDoSProtection("429")
    told, untold = (meaning_of("binance", "createOrder", limited, retry_after_ms=ms) for ms in (7_000, None))
    clock = classify("binance", "createOrder", ccxt.InvalidNonce("-1021"))
    assert isinstance(told, Retryable)
    assert told.retry_after_ms == 7_000
    assert isinstance(untold, Retryable)
    assert untold.retry_after_ms == LIMITED_RETRY_AFTER_MS
    assert isinstance(clock, Retryable)
    assert clock.retry_after_ms == 0


def test_no_secret_is_in_an_error() -> None:
    """Ccxt puts the signed URL into its network errors; ours hold no signature and no key."""
    url = "https://api/v3/account?timestamp=1&signature=deadbeef&apiKey=topsecret&symbol=ETHBTC"
    text = str(classify("binance", "fetchBalance", ccxt.RequestTimeout(f"binance GET {url}")))
    assert "deadbeef" not in text
    assert "topsecret" not in text
    assert "symbol=ETHBTC" in text
