"""What ccxt misreads in the events of an account's orders and trades; part of its exchange's profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class ValuedOrders(NamedTuple):
    """Orders that are sized in quote currency, and counted in it by the exchange's events."""

    field: str
    """Field of the exchange's own record that tells them from others."""
    value: str
    """What it says of them."""
    executed: str
    """Field with what was spent; ccxt takes it for the amount that was filled."""


class MixedEvents(NamedTuple):
    """Frames that hold orders and trades; ccxt takes all for what the first of them is."""

    channel: str
    kind: str
    """Field of a record that tells what it is."""
    trade: str
    """What it says of a trade."""
    order_id: str
    symbol: str
    """Field with the market, which only the first record of an order has for certain."""
    filled: str
    """Field of a trade with what is filled of its order by then; without, it says nothing of the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MisreadEvents:
    """Where ccxt reads an account's events otherwise than the exchange means them, and than it reads its answers."""

    order: Mapping[str, str | None] = field(default_factory=dict)
    """By ccxt's name, the field of the exchange's own record of an order that says it; None where no field does: then
    an answer tells it."""
    valued_orders: ValuedOrders | None = None
    """Orders of which ccxt takes values for amounts; None where it takes them for what they are."""
    mixed: MixedEvents | None = None
    """Where orders and trades come in the same frames; None where they do not."""
    value_left: tuple[str, ...] = ()
    """Fields of the exchange's own record of an order with the value that was not spent, the first that says something
    counts, where every market order that is over is called canceled: one that was filled whole is closed."""
    trade: frozenset[str] = frozenset()
    """ccxt's names of what is left out of a trade. Its fee comes with an answer then, and its cost is worked out."""
    fees_are_changes: bool = False
    """Whether the fee of a trade is the change of the balance: what was charged is below zero."""
    fee_currency: str | None = None
    """Field of the exchange's own record of a trade with the currency of its fee."""
    wallet: tuple[str, str] | None = None
    """Kind and name of the wallet that orders use, where events tell of others too (`wallets`, `wallet_type`), and ccxt
    takes each for all that is held."""
    listed_wallet: str | None = None
    """Kind of that wallet, where it is the first place of a list (`ws`, `wu`)."""
