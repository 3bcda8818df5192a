import asyncio
import json

import aiohttp
import pytest
from ccxt.base import errors as ccxt

from millrace_core.names import ExchangeId
from millrace_exchange import ExchangeError, Fatal, OrderNotFound, OutcomeUnknown, Rejected, Retryable, profile_of
from millrace_exchange.ccxt.classification import classify
from millrace_exchange.profile import ExchangeProfile

BINANCE = profile_of(ExchangeId("binance"))
OTHER = ExchangeProfile(exchange=ExchangeId("other"))

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
    (ccxt.OrderNotFound("binance -2011"), OrderNotFound),
    (ccxt.MarketClosed("binance"), Rejected),
    (ccxt.NotSupported("binance"), Rejected),
]


@pytest.mark.parametrize(("error", "expected"), TABLE, ids=lambda value: getattr(value, "__name__", repr(value))[:60])
def test_each_line_of_the_table_is_classified(error: BaseException, expected: type[ExchangeError]) -> None:
    """What ccxt raises for an order means what was seen to have happened at the exchange."""
    found = classify(BINANCE, "createOrder", error)
    assert type(found) is expected
    assert (found.exchange, found.action, found.kind) == ("binance", "createOrder", type(error).__name__)


def half_done(cancel: str, new: str) -> ccxt.ExchangeError:
    """Binance's answer to a cancel-replace of which one half failed."""
    halves = {"cancelResult": cancel, "newOrderResult": new, "newOrderResponse": {"code": -2015, "msg": "no"}}
    answer = {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": halves}
    return ccxt.ExchangeError(f"binance {json.dumps(answer)}")


@pytest.mark.parametrize(
    ("cancel", "new", "expected"),
    [("SUCCESS", "FAILURE", Rejected), ("FAILURE", "SUCCESS", OutcomeUnknown), ("SUCCESS", "", OutcomeUnknown)],
)
def test_the_halves_of_a_cancel_replace_decide(cancel: str, new: str, expected: type[ExchangeError]) -> None:
    """Only an order that is known to be gone without a replacement is a rejection; it says so."""
    found = classify(BINANCE, "editOrder", half_done(cancel, new))
    assert type(found) is expected
    assert "cancel-replace" in str(found)


def test_a_cancel_replace_of_which_nothing_was_done_is_rejected() -> None:
    """The code is definite, over REST and in the frame of the WebSocket API, though ccxt has no class for it."""
    for text in ('binance {"code":-2022,"msg":"failed"}', 'binance {"id":"1","error":{"code":-2022,"msg":"failed"}}'):
        assert type(classify(BINANCE, "editOrder", ccxt.ExchangeError(text))) is Rejected


@pytest.mark.parametrize("text", ["other", "other {", 'other {"code":-2022}', 'other [{"code":-2022}]', "{}" * 9])
def test_codes_mean_nothing_where_no_profile_explains_them(text: str) -> None:
    """Another exchange's number of the same value proves nothing, and neither does a broken answer."""
    assert type(classify(OTHER, "editOrder", ccxt.ExchangeError(text))) is OutcomeUnknown


def test_what_never_left_us_was_not_done() -> None:
    """A failure before anything was sent, or without a connection at all, may be tried again."""
    assert type(classify(BINANCE, "createOrder", ccxt.NetworkError("no"), sent=False)) is Retryable
    refused = ccxt.ExchangeNotAvailable("binance POST")
    key = aiohttp.client_reqrep.ConnectionKey("127.0.0.1", 1, False, True, None, None, None)
    refused.__cause__ = aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "refused"))
    assert type(classify(BINANCE, "createOrder", refused)) is Retryable


@pytest.mark.parametrize("action", ["fetchOrder", "loadMarkets", "watchOrderBook"])
def test_a_question_is_never_in_doubt(action: str) -> None:
    """What only asks leaves nothing behind."""
    assert type(classify(BINANCE, action, ccxt.RequestTimeout("slow"))) is Retryable


def test_only_a_lost_connection_may_be_replaced_by_another() -> None:
    """What was not sent because the connection broke may go over another one; a limit or a timeout may not."""
    for error, may_go_elsewhere in (
        (ccxt.NetworkError("closed"), True),
        (ccxt.RequestTimeout("slow"), False),
        (ccxt.DDoSProtection("429"), False),
        (ccxt.InvalidNonce("-1021"), False),
    ):
        found = classify(BINANCE, "createOrder", error, sent=False)
        assert isinstance(found, Retryable)
        assert found.is_disconnected is may_go_elsewhere


def test_no_secret_is_in_an_error() -> None:
    """Ccxt puts the signed URL into its network errors; ours hold no signature and no key."""
    url = "https://api/v3/account?timestamp=1&signature=deadbeef&apiKey=topsecret&symbol=ETHBTC"
    text = str(classify(BINANCE, "fetchBalance", ccxt.RequestTimeout(f"binance GET {url}")))
    assert "deadbeef" not in text
    assert "topsecret" not in text
    assert "symbol=ETHBTC" in text
