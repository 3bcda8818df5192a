"""A field that is missing from an answer is never made up: what it would say is unknown, or the answer proves nothing.

Each field of a documented answer is left out in turn, on each exchange. ccxt has defaults for some of them: nothing
filled, a buy, all of a closed order filled at its limit, no balance.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import BINANCE, Account
from libs.exchange.tests.answers.records import ID, RECORDS, Record, Records, without
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES

from millrace_core.market import Balance
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import ExchangeError, OutcomeUnknown, Retryable

_IDENTITY: Final = ("id", "symbol", "side", "type", "order", "client_order_id")
_MONEY: Final = ("price", "trigger_price", "amount", "filled", "average", "cost", "status", "total", "free", "used")
NOTHING_HELD: Final = Balance(0.0, 0.0, 0.0)
Ask = Callable[[Account], Awaitable[Any]]


async def create(ours: Account) -> Any:
    ten, twenty = Decimal(10), Decimal(20)
    payload = CreatePayload(symbol=ours.symbol, side="sell", type="limit", amount_base=ten, price=twenty)
    return (await ours.create_order(payload, ours.our_id)).orders[0]


async def cancel(ours: Account) -> Any:
    return (await ours.cancel_order(CancelPayload(symbol=ours.symbol, order_id=id_of(ours)))).orders[0]


async def fetch_order(ours: Account) -> Any:
    return await ours.fetch_order(ours.symbol, order_id=id_of(ours))


async def open_orders(ours: Account) -> Any:
    (order,) = await ours.fetch_open_orders(ours.symbol)
    return order


async def my_trades(ours: Account) -> Any:
    (trade,) = await ours.fetch_my_trades(ours.symbol)
    return trade


async def balance(ours: Account) -> Any:
    balances = await ours.fetch_balance()
    return next(iter(balances.values()), NOTHING_HELD)


def id_of(ours: Account) -> str:
    # ccxt takes our id for HitBTC's own.
    return ours.our_id if ours.profile.exchange == "hitbtc" else ID


def answers_of(records: Records) -> list[tuple[Ask, Record, Callable[[Record], Any]]]:
    return [
        (create, records.order, records.one),
        (cancel, records.canceled, records.one),
        (fetch_order, records.order, records.one),
        (fetch_order, records.canceled, records.one),
        (open_orders, records.order, records.several),
        (my_trades, records.trade, records.trades),
        (balance, records.balance, records.balances),
    ]


async def outcome_of(ours: Account, server: ScriptedServer, ask: Ask, content: Any) -> Any:
    await ours.fresh()
    server.reply = Reply(json.dumps(content).replace("OURS", ours.our_id).encode())
    try:
        return await ask(ours)
    except ExchangeError as error:
        return error


def made_up(found: Any, right: Any) -> list[str]:
    """Return what an answer says that is not so; an answer that says nothing of a field is right."""
    if isinstance(found, ExchangeError):
        return [] if isinstance(found, Retryable | OutcomeUnknown) else [repr(found)]
    wrong = []
    for name in (*_IDENTITY, *_MONEY):
        said = getattr(found, name, None)
        if said is not None and said != getattr(right, name):
            wrong.append(f"{name} is {said}, and not {getattr(right, name)}")
    left = getattr(found, "remaining", None)
    if left is not None and left not in (right.remaining, right.amount - right.filled):
        wrong.append(f"remaining is {left}")
    return wrong


@pytest.mark.parametrize("place", EXCHANGES)
async def test_what_an_answer_does_not_say_is_not_made_up(
    place: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Whichever field is null."""
    ours, wrong, tried = account(place), [], set()
    ours.knows = False
    if place == "hyperliquid":
        ours.ccxt.set_markets([ours.market(ours.symbol, "@1")])
    for ask, record, wrap in answers_of(RECORDS[place.partition(" ")[0]]):
        right = await outcome_of(ours, server, ask, wrap(record))
        if ask in (create, cancel) and isinstance(right, ExchangeError):
            continue  # The answers to changes have another form: the order's id.
        tried.add(ask.__name__)
        assert not isinstance(right, ExchangeError), (ask.__name__, right)
        for name, less in without(record):
            found = await outcome_of(ours, server, ask, wrap(less))
            wrong += [f"{ask.__name__} without {name}: {what}" for what in made_up(found, right)]
    assert not wrong, "\n".join(wrong)
    assert tried >= {"fetch_order", "open_orders", "my_trades", "balance"}


@pytest.mark.parametrize("place", BINANCE)
@pytest.mark.parametrize("field", ["executedQty", "origQty", "status", "side", "price", "symbol"])
async def test_an_answer_without_a_field_that_decides_on_money_proves_nothing(
    place: str, field: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Null, missing or empty: a change is unknown, a question is asked again."""
    ours, records = account(place), RECORDS["binance"]
    ours.knows = False
    for ask, record, wrap in answers_of(records)[:5]:
        for less in (record | {field: None}, record | {field: ""}, {k: v for k, v in record.items() if k != field}):
            found = await outcome_of(ours, server, ask, wrap(less))
            assert isinstance(found, OutcomeUnknown if ask in (create, cancel) else Retryable), (ask.__name__, found)
