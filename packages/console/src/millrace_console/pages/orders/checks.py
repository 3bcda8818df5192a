"""What is checked of an order before it is sent, and what it will do in words. Pure.

The executor and the exchange judge in the end. What they certainly refuse, by the terms of the market too, is a problem
and is not sent; what a person may have mistyped is a warning, which stands in the confirmation.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from millrace_console.display.ladder import Scale
from millrace_console.display.text import number
from millrace_console.markets import Market
from millrace_core.market import Level
from millrace_core.market_terms import MarketTerms, SizedOrder, Unsendable, precision_errors, refusals, size_errors
from millrace_core.requests import CreatePayload, EditPayload

FAR_PERCENT = 5
"""A price so far from the middle of the book is doubted."""


_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
"""A number as it is shown, with a comma between thousands; any other comma may be meant as a decimal point."""
_AMBIGUOUS = re.compile(r"\d{1,3},\d{3}")
"""One comma before three digits may be either."""
_FORCES = {
    "GTC": "until it is canceled",
    "IOC": "what does not fill at once is canceled",
    "FOK": "whole and at once, or not at all",
}


@dataclass(frozen=True)
class Sight:
    """What is known of a market at this moment: its book, and what its exchange takes."""

    bid: Level | None
    ask: Level | None
    scale: Scale
    terms: MarketTerms | None = None
    """None while they are not known."""

    @property
    def mid(self) -> Decimal | None:
        """The price half-way between bid and ask."""
        return None if self.bid is None or self.ask is None else (_exact(self.bid[0]) + _exact(self.ask[0])) / 2

    @property
    def price_decimals(self) -> int:
        """The decimals of prices as the book shows them; 0, which nothing is judged by, where the terms are known."""
        return self.scale.price if self.terms is None else 0

    @property
    def amount_decimals(self) -> int:
        """The same of amounts."""
        return self.scale.amount if self.terms is None else 0

    def opposite(self, side: str) -> Decimal | None:
        """Return the best price at which an order of this side executes at once."""
        level = self.ask if side == "buy" else self.bid
        return None if level is None else _exact(level[0])


@dataclass(frozen=True)
class Ticket:
    """An order as it was typed."""

    tenant: str
    market: Market
    side: str
    type: str
    amount: str
    price: str
    time_in_force: str = "GTC"
    post_only: bool = False
    reduce_only: bool = False


@dataclass
class Checked:
    """What came of a check."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    words: str = ""
    """What will happen."""
    body: dict[str, Any] = field(default_factory=dict)
    """The request's JSON."""
    next: SizedOrder | None = None
    """What the exchange would take in place of an order that it would refuse."""


def check_new(ticket: Ticket, sight: Sight) -> Checked:
    """Check an order that is to be placed."""
    found = Checked()
    amount = read_number(ticket.amount, "Amount", sight.amount_decimals, found)
    is_limit = ticket.type == "limit"
    price = read_number(ticket.price, "Price", sight.price_decimals, found) if is_limit else sight.opposite(ticket.side)
    if price is None and not is_limit:
        found.problems.append("The book is empty: what a market order would pay is not known.")
    if ticket.post_only and not is_limit:
        found.problems.append("A market order always takes: it cannot be post-only.")
    if found.problems or amount is None or price is None:
        return found
    _check_terms(ticket, amount, price, sight.terms, found)
    if found.problems:
        return found
    if is_limit:
        _doubt_price(ticket.side, price, sight, found, is_post_only=ticket.post_only)
    found.words = _new_words(ticket, amount, price)
    found.body = {"exchangeId": ticket.market.exchange, "payload": _payload(ticket, amount, price)}
    return found


def terms_text(terms: MarketTerms | None) -> str:
    """Return what an exchange takes in words; nothing where it is not known."""
    if terms is None:
        return ""
    said = [
        ("prices in steps of", terms.tick_size, ""),
        ("prices of at most", terms.price_digits, " digits"),
        ("amounts in steps of", terms.amount_step, ""),
        ("amounts of at most", terms.amount_digits, " digits"),
        ("at least", terms.min_amount, f" {terms.base}" if not terms.is_contract else " contracts"),
        ("worth at least", terms.min_cost, f" {terms.quote}"),
    ]
    parts = [f"{what} {value:f}{unit}" for what, value, unit in said if value is not None]
    text = ", ".join(parts)
    return text and f"The exchange takes {text}."


def _check_terms(ticket: Ticket, amount: Decimal, price: Decimal, terms: MarketTerms | None, found: Checked) -> None:
    """Note why the exchange would refuse an order, and what is next to it that would pass."""
    if terms is None:
        return
    is_limit = ticket.type == "limit"
    payload = CreatePayload(
        symbol=ticket.market.symbol,
        side="buy" if ticket.side == "buy" else "sell",
        type="limit" if is_limit else "market",
        amount_base=amount,
        price=price if is_limit else None,
    )
    found.problems += [_in_words(error) for error in refusals(terms, payload, price)]
    if not found.problems:
        return
    fitted = terms.fit(payload.side, price, amount)
    found.next = None if isinstance(fitted, Unsendable) else fitted


def _in_words(error: str) -> str:
    """Return an error with the fields called as the form calls them."""
    named = error.replace("amountBase", "amount", 1)
    return f"{named[:1].upper()}{named[1:]}."


def _payload(ticket: Ticket, amount: Decimal, price: Decimal) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "symbol": ticket.market.symbol,
        "side": ticket.side,
        "type": ticket.type,
        "amountBase": f"{amount:f}",
        "price": f"{price:f}",  # of a market order the expected one, by which risk limits are checked
    }
    if ticket.type == "limit":
        payload["timeInForce"] = ticket.time_in_force
    flags = {"postOnly": ticket.post_only, "reduceOnly": ticket.reduce_only}
    return payload | {name: True for name, is_set in flags.items() if is_set}


def _new_words(ticket: Ticket, amount: Decimal, price: Decimal) -> str:
    base, quote = currencies(ticket.market.symbol)
    verb = "Buy" if ticket.side == "buy" else "Sell"
    whole = f"{number(amount * price)} {quote}".strip()
    what = f"{verb} {number(amount)} {base} on {ticket.market.exchange} for {ticket.tenant}"
    if ticket.type == "market":
        return f"{what}, at once, at whatever price the market has: about {number(price)} each, {whole} in all."
    limit = "at most" if ticket.side == "buy" else "at least"
    terms = [_FORCES.get(ticket.time_in_force, ticket.time_in_force)]
    terms += ["only if it does not execute at once (post-only)"] * ticket.post_only
    terms += ["only to make a position smaller"] * ticket.reduce_only
    return f"{what} for {limit} {number(price)} {quote} each, {whole} in all; {'; '.join(terms)}."


def check_edit(order: dict[str, Any], amount: str, price: str, sight: Sight) -> Checked:
    """Check new terms of an open order; what is as it was is not sent."""
    found = Checked()
    new_amount = read_number(amount, "Amount", sight.amount_decimals, found)
    new_price = read_number(price, "Price", sight.price_decimals, found)
    if found.problems or new_amount is None or new_price is None:
        return found
    changes = {}
    if new_amount != _decimal(order.get("amount")):
        changes["amountBase"] = f"{new_amount:f}"
    if new_price != _decimal(order.get("price")):
        changes["price"] = f"{new_price:f}"
    if not changes:
        found.problems.append("Nothing has changed.")
        return found
    if (filled := _decimal(order.get("filled"))) is not None and new_amount <= filled:
        found.problems.append(f"{number(filled)} is filled already: the amount must be above it.")
        return found
    if sight.terms is not None:
        edit = EditPayload(symbol=str(order["symbol"]), amount_base=new_amount, price=new_price)
        errors = [*precision_errors(sight.terms, edit), *size_errors(sight.terms, new_amount, new_price)]
        found.problems += [_in_words(error) for error in errors]
        if found.problems:
            return found
    _doubt_price(str(order.get("side")), new_price, sight, found, is_post_only=bool(order.get("postOnly")))
    base, quote = currencies(str(order["symbol"]))
    before = f"{number(order.get('amount'))} {base} at {number(order.get('price'))} {quote}"
    found.words = (
        f"Change order {order['id']} from {before} to {number(new_amount)} {base} at {number(new_price)} {quote}."
    )
    found.body = changes
    return found


def read_number(text: str, name: str, digits: int, found: Checked) -> Decimal | None:
    """Return a number as it was typed; None, with the problem noted, if it is none or not above zero."""
    cleaned = (text or "").strip()
    if _AMBIGUOUS.fullmatch(cleaned):
        whole, point = cleaned.replace(",", ""), cleaned.replace(",", ".")
        found.problems.append(f"{name}: {text!r} may mean {whole} or {point}. Write one of them.")
        return None
    if _GROUPED.fullmatch(cleaned):
        cleaned = cleaned.replace(",", "")
    value = _decimal(cleaned)
    if not cleaned:
        found.problems.append(f"{name} is missing.")
    elif value is None or not value.is_finite():
        found.problems.append(f"{name}: {text!r} is not a number.")
    elif value <= 0:
        found.problems.append(f"{name} must be above zero.")
    else:
        exponent = value.normalize().as_tuple().exponent
        if digits and isinstance(exponent, int) and -exponent > digits:
            found.warnings.append(f"{name} has more than the {digits} decimals that the book has: it will be refused.")
        return value
    return None


def _doubt_price(side: str, price: Decimal, sight: Sight, found: Checked, *, is_post_only: bool) -> None:
    best, mid = sight.opposite(side), sight.mid
    if best is not None and (price >= best if side == "buy" else price <= best):
        what = "post-only will be refused" if is_post_only else "it executes at once"
        found.warnings.append(f"The price reaches the other side of the book ({number(best)}): {what}.")
    if mid:
        percent = abs(price - mid) / mid * 100
        if percent > FAR_PERCENT:
            found.warnings.append(f"The price is {percent:.0f} % away from the middle of the book ({number(mid)}).")


def currencies(symbol: str) -> tuple[str, str]:
    """Return what is bought or sold, and what it is paid with; the second is empty if the symbol does not say."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition(":")[0]


def _decimal(value: Any) -> Decimal | None:
    try:
        return None if value in (None, "") else Decimal(str(value))
    except InvalidOperation:
        return None


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
