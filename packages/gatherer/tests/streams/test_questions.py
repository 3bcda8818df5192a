"""When the exchange is asked again: on a timer, and soon after a message, since another may have been lost."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from millrace_core.names import ExchangeId
from millrace_exchange import Exchange
from millrace_exchange.profile import ExchangeProfile, RateLimit, RequestLimits
from millrace_exchange.profiles import profile_of
from millrace_gatherer.streams.questions import QuestionTimer, account_timer, each_s


def timer(soon_s: float | None) -> QuestionTimer:
    """Return a timer that nobody wakes."""
    return QuestionTimer(asyncio.Event(), lambda: soon_s)


@pytest.mark.parametrize("pause_s", [None, 60.0])
@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_message_makes_a_question_due_soon(pause_s: float | None, *, is_waiting: bool) -> None:
    """Whether it comes while the question is awaited or before."""
    questions = timer(0.01)
    if is_waiting:
        asyncio.get_running_loop().call_soon(questions.received)
    else:
        questions.received()
    async with asyncio.timeout(5):
        await questions.wait(pause_s)


async def test_later_messages_do_not_delay_the_question() -> None:
    """The first one since the last question counts: a busy stream is asked about as well."""
    questions = timer(0.2)
    loop = asyncio.get_running_loop()
    for place in range(40):
        loop.call_later(0.05 * place, questions.received)
    async with asyncio.timeout(1):
        await questions.wait(None)


async def test_after_messages_it_is_asked_twice() -> None:
    """The last messages may have been lost, after the first question; when nothing came since, that is enough."""
    questions = timer(0.01)
    questions.received()
    async with asyncio.timeout(5):
        for _ in range(2):
            await questions.wait(None)
            questions.asking()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await questions.wait(None)


async def test_where_messages_do_not_matter_only_the_timer_counts() -> None:
    """As for public trades whose numbers show what is missing."""
    questions = timer(None)
    questions.received()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await questions.wait(60.0)


class Account:
    """An account, of which nothing is asked here."""


async def test_a_message_of_a_symbol_concerns_its_other_streams_and_the_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trade's own message may be lost where the order's comes; a balance says nothing of any symbol."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 0.01)
    monkeypatch.setattr("millrace_gatherer.streams.questions.UNKNOWN_EACH_S", 0.0)
    exchange = cast(Exchange, SimpleNamespace(account=Account(), profile=ExchangeProfile(exchange=ExchangeId("x"))))
    wakes = {name: asyncio.Event() for name in ("orders", "trades", "balance", "other")}
    orders = account_timer(exchange, "A/B", wakes["orders"])
    trades, other = account_timer(exchange, "A/B", wakes["trades"]), account_timer(exchange, "C/D", wakes["other"])
    balance = account_timer(exchange, None, wakes["balance"])
    orders.received()
    async with asyncio.timeout(5):
        await asyncio.gather(orders.wait(None), trades.wait(None), balance.wait(None))
    for timer in (orders, trades, balance):
        timer.asking()
        await timer.wait(None)
        timer.asking()
    balance.received()
    await balance.wait(None)
    assert not (wakes["orders"].is_set() or wakes["trades"].is_set() or wakes["other"].is_set())
    del other


async def test_what_no_message_brought_has_the_other_streams_asked_at_once() -> None:
    """The stream that found it soon, and those of other symbols not at all."""
    exchange = cast(Exchange, SimpleNamespace(account=Account(), profile=ExchangeProfile(exchange=ExchangeId("x"))))
    wakes = {name: asyncio.Event() for name in ("orders", "trades", "balance", "other")}
    symbols = {"trades": "A/B", "balance": None, "other": "C/D"}
    others = [account_timer(exchange, symbol, wakes[name]) for name, symbol in symbols.items()]
    orders = account_timer(exchange, "A/B", wakes["orders"])
    orders.found()
    assert {name for name, wake in wakes.items() if wake.is_set()} == {"trades", "balance"}
    for timer in (orders, *others):
        timer.asking()
    orders.found()
    assert not any(wake.is_set() for wake in wakes.values())
    for timer in (orders, *others):
        timer.asking()


def test_questions_use_half_of_the_tightest_limit() -> None:
    """By what they weigh; a limit that does not count them says nothing."""
    by_weight = RateLimit(name="weights", scope="ip", weight=1_000, window_ms=10_000)
    by_number = RateLimit(name="requests", scope="account", weight=20, window_ms=2_000, counts="requests")
    orders = RateLimit(name="orders", scope="account", weight=1, window_ms=60_000, actions=frozenset({"createOrder"}))
    weights = {"fetchOpenOrders": 6, "fetchClosedOrders": 20}
    assert each_s(RequestLimits(limits=(by_weight, orders), weights=weights)) == pytest.approx(0.52)
    assert each_s(RequestLimits(limits=(by_weight, by_number), weights=weights)) == pytest.approx(0.52)
    assert each_s(RequestLimits(limits=(by_number, orders))) == pytest.approx(0.4)
    assert each_s(RequestLimits()) == 0.5


def test_an_account_with_many_streams_is_asked_as_soon_as_its_exchange_allows() -> None:
    """With 17 of them KuCoin is still asked after the shortest pause, Binance after 9 s."""
    pauses = {each: 17 * each_s(profile_of(ExchangeId(each)).requests) for each in ("binance", "kucoin")}
    assert pauses["kucoin"] < 6 < pauses["binance"] < 9
