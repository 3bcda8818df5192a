"""Order lists: an OCO pair of which one order ends the other, an OTO whose filled order brings others into the book."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from millrace_simulator.venue.orders import OrderRequest, Placement


class Contingency(StrEnum):
    """What binds the orders of a list; the names are Binance's."""

    OCO = "OCO"
    OTO = "OTO"
    """The first order brings the others into the book; two others are a pair."""


class ListStatus(StrEnum):
    """What was last reported of a list; the names are Binance's."""

    EXEC_STARTED = "EXEC_STARTED"
    UPDATED = "UPDATED"
    """The client order id of one of its orders changed."""
    ALL_DONE = "ALL_DONE"


class OrderList(Struct, frozen=True, kw_only=True):
    """An order list in one state; a later state is another object."""

    list_id: int
    """Consecutive over the venue, from 0."""
    account_id: int
    symbol: str
    client_id: str
    contingency: Contingency
    order_ids: tuple[int, ...]
    """In an OTO the working order is the first."""
    client_order_ids: tuple[str, ...]
    status: ListStatus = ListStatus.EXEC_STARTED
    created_us: int
    updated_us: int

    @property
    def is_open(self) -> bool:
        """Tell whether one of its orders is open."""
        return self.status is not ListStatus.ALL_DONE

    @property
    def order_status(self) -> str:
        """Return Binance's `listOrderStatus`."""
        return "EXECUTING" if self.is_open else ListStatus.ALL_DONE

    @property
    def pair(self) -> tuple[int, ...]:
        """Return the ids of the two orders of which one ends the other; empty if there are none."""
        pair = self.order_ids if self.contingency is Contingency.OCO else self.order_ids[1:]
        return pair if len(pair) > 1 else ()


class ListRequest(Struct, frozen=True, kw_only=True):
    """An order list that an account wants placed."""

    symbol: str
    working: OrderRequest | None = None
    """The order that brings the others into the book; None for a pair alone."""
    orders: tuple[OrderRequest, ...]
    """One order, or the pair."""
    client_id: str | None = None
    """None lets the venue make one."""

    @property
    def contingency(self) -> Contingency:
        """Return what binds the orders."""
        return Contingency.OCO if self.working is None else Contingency.OTO

    @property
    def all(self) -> tuple[OrderRequest, ...]:
        """Return all orders, the working one first."""
        return self.orders if self.working is None else (self.working, *self.orders)


class ListPlacement(Struct, frozen=True):
    """The immediate result of placing an order list; of a pending order, as it was before it came into the book."""

    order_list: OrderList
    placements: tuple[Placement, ...]


class ListRef(Struct, frozen=True):
    """Names an order list by its id, by its client id, or by both (then both must fit)."""

    list_id: int | None = None
    client_id: str | None = None


class ListBook:
    """Keeps the newest state of each order list; nothing is ever removed."""

    def __init__(self, past: Iterable[OrderList]) -> None:
        self._lists = {each.list_id: each for each in past}
        self._last_id = max(self._lists, default=-1)

    def next_id(self) -> int:
        """Number a list."""
        self._last_id += 1
        return self._last_id

    def update(self, order_list: OrderList) -> None:
        """Enter a new list, or the new state of a known one."""
        self._lists[order_list.list_id] = order_list

    def get(self, list_id: int) -> OrderList:
        """Return a list by its id, which is known."""
        return self._lists[list_id]

    def find(self, account_id: int, ref: ListRef) -> OrderList | None:
        """Return the account's list that `ref` names; by client id the newest that had it."""
        if ref.list_id is not None:
            found = self._lists.get(ref.list_id)
        else:
            found = next((each for each in reversed(self.of(account_id)) if each.client_id == ref.client_id), None)
        if found is None or found.account_id != account_id or ref.client_id not in {None, found.client_id}:
            return None
        return found

    def of(self, account_id: int) -> list[OrderList]:
        """Return the account's lists, oldest first."""
        return [each for each in self._lists.values() if each.account_id == account_id]
