"""Rate limits: usage of each address and each account, counted as Binance counts.

Weights and raw requests count against an IP address, new orders against an account; both in windows that begin at
whole minutes, ten seconds or days. A client that continues after a 429 is banned (418), longer each time.
See Binance's rest-api.md, "LIMITS".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from millrace_simulator.binance.errors import TooManyRequestsError
from millrace_simulator.venue import ExecutionReport, Listener

INTERVAL_MS = {"SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 86_400_000
IGNORED_BEFORE_BAN = 20
"""Requests over the limit of one window that get 429; the next one is banned."""
TAKER_CREDIT = 1
MAKER_CREDIT = 5
"""An order that first trades as a maker returns more than its own place."""


class RateLimit(msgspec.Struct, frozen=True):
    """One limit, in the form that exchangeInfo shows it."""

    kind: str
    """REQUEST_WEIGHT and RAW_REQUESTS are an address's, ORDERS an account's."""
    interval: str
    interval_num: int
    limit: int

    @property
    def window_ms(self) -> int:
        """Return how long a window lasts."""
        return INTERVAL_MS[self.interval] * self.interval_num

    @property
    def suffix(self) -> str:
        """Return how headers name the window: 1M, 10S, 1D."""
        return f"{self.interval_num}{self.interval[0]}"

    def shown(self, count: int | None = None) -> dict[str, Any]:
        """Return the JSON object of exchangeInfo, and with `count` that of a usage report."""
        rule = {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.interval_num,
            "limit": self.limit,
        }
        return rule if count is None else {**rule, "count": count}


BINANCE_LIMITS = (
    RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 6000),
    RateLimit("ORDERS", "SECOND", 10, 100),
    RateLimit("ORDERS", "DAY", 1, 200_000),
    RateLimit("RAW_REQUESTS", "MINUTE", 5, 61_000),
)
"""The limits that Binance spot publishes."""


class _Counter:
    """Usage of one limit in the current window, by user."""

    def __init__(self, rule: RateLimit) -> None:
        self.rule = rule
        self._window = -1
        self._spent: dict[str, int] = {}

    def add(self, user: str, amount: int, now_ms: int) -> int:
        window = now_ms // self.rule.window_ms
        if window != self._window:
            self._window = window
            self._spent.clear()
        spent = max(0, self._spent.get(user, 0) + amount)
        if amount:
            self._spent[user] = spent
        return spent

    def seconds_left(self, now_ms: int) -> int:
        return max(1, -(-(self.rule.window_ms - now_ms % self.rule.window_ms) // 1000))


class _Ban(msgspec.Struct):
    until_ms: int = 0
    length_ms: int = FIRST_BAN_MS
    window: int = -1
    ignored: int = 0
    """Refusals in `window`."""


class RateLimits:
    """The limits of one exchange and their usage.

    With `enforced` False everything is counted and reported, but nothing is rejected.
    """

    def __init__(self, rules: Iterable[RateLimit], now_ms: Callable[[], int], *, enforced: bool = True) -> None:
        self.rules = tuple(rules)
        self._now_ms = now_ms
        self._enforced = enforced
        self._requests = [_Counter(rule) for rule in self.rules if rule.kind != "ORDERS"]
        self._orders = [_Counter(rule) for rule in self.rules if rule.kind == "ORDERS"]
        self._bans: dict[str, _Ban] = {}

    def charge_request(self, address: str, weight: int) -> None:
        """Count one request from `address`; it is counted even when it is refused.

        Raises:
            TooManyRequestsError: 429 over a limit, 418 while the address is banned.
        """
        now_ms = self._now_ms()
        self._refuse_banned(address, now_ms)
        for counter in self._requests:
            raw = counter.rule.kind == "RAW_REQUESTS"
            if counter.add(address, 1 if raw else weight, now_ms) > counter.rule.limit and self._enforced:
                raise self._over_weight(address, counter, now_ms)

    def charge_orders(self, account: str, count: int = 1) -> None:
        """Count new orders of `account`; orders over the limit are refused and not counted.

        Raises:
            TooManyRequestsError: 429 with -1015, and the seconds until the window ends.
        """
        if not count:
            return
        now_ms = self._now_ms()
        for counter in self._orders:
            if counter.add(account, 0, now_ms) + count > counter.rule.limit and self._enforced:
                rule = counter.rule
                window = f"{rule.interval_num} {rule.interval}"
                raise TooManyRequestsError(
                    -1015,
                    f"Too many new orders; current limit is {rule.limit} orders per {window}.",
                    counter.seconds_left(now_ms),
                )
        for counter in self._orders:
            counter.add(account, count, now_ms)

    def give_back_orders(self, account: str, count: int) -> None:
        """Take orders of `account` off its count, which never falls below 0."""
        now_ms = self._now_ms()
        for counter in self._orders:
            counter.add(account, -count, now_ms)

    def request_headers(self, address: str) -> Mapping[str, str]:
        """`X-MBX-USED-WEIGHT` and `X-MBX-USED-WEIGHT-1M`: the weight used by `address`."""
        headers = {}
        for rule, used in self._usage(self._requests, address):
            if rule.kind == "REQUEST_WEIGHT":
                headers["X-MBX-USED-WEIGHT"] = headers[f"X-MBX-USED-WEIGHT-{rule.suffix}"] = str(used)
        return headers

    def order_headers(self, account: str) -> Mapping[str, str]:
        """`X-MBX-ORDER-COUNT-10S` and `-1D`: how many orders `account` has placed."""
        return {f"X-MBX-ORDER-COUNT-{rule.suffix}": str(used) for rule, used in self._usage(self._orders, account)}

    def request_usage(self, address: str) -> list[dict[str, Any]]:
        """Return the weight used by `address`, as the WebSocket API reports it."""
        return [rule.shown(used) for rule, used in self._usage(self._requests, address) if rule.kind != "RAW_REQUESTS"]

    def order_usage(self, account: str) -> list[dict[str, Any]]:
        """Return the order limits used by `account`, as `rateLimit/order` reports it."""
        return [rule.shown(used) for rule, used in self._usage(self._orders, account)]

    def _usage(self, counters: list[_Counter], user: str) -> list[tuple[RateLimit, int]]:
        now_ms = self._now_ms()
        return [(counter.rule, counter.add(user, 0, now_ms)) for counter in counters]

    def _refuse_banned(self, address: str, now_ms: int) -> None:
        ban = self._bans.get(address)
        if ban is not None and now_ms < ban.until_ms:
            raise _banned(ban.until_ms, now_ms)

    def _over_weight(self, address: str, counter: _Counter, now_ms: int) -> TooManyRequestsError:
        ban = self._bans.setdefault(address, _Ban())
        window = now_ms // counter.rule.window_ms
        ban.ignored = ban.ignored + 1 if ban.window == window else 1
        ban.window = window
        if ban.ignored > IGNORED_BEFORE_BAN:
            ban.until_ms = now_ms + ban.length_ms
            ban.length_ms = min(ban.length_ms * 2, LONGEST_BAN_MS)
            return _banned(ban.until_ms, now_ms)
        rule = counter.rule
        what = "request weight" if rule.kind == "REQUEST_WEIGHT" else "requests"
        return TooManyRequestsError(
            -1003,
            f"Too much request weight used; current limit is {rule.limit} {what} per "
            f"{rule.interval_num} {rule.interval}. Please use WebSocket Streams for live updates to avoid polling "
            "the API.",
            counter.seconds_left(now_ms),
        )


def _banned(until_ms: int, now_ms: int) -> TooManyRequestsError:
    return TooManyRequestsError(
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams for live "
        "updates to avoid bans.",
        max(1, -(-(until_ms - now_ms) // 1000)),
        HTTPStatus.IM_A_TEAPOT,
    )


class UnfilledOrders(Listener):
    """Counts unfilled orders only: an order that trades returns its place to its account.

    Source: Binance's faqs/order_count_decrement.md.
    """

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    def on_execution(self, report: ExecutionReport) -> None:
        """Return the order's place at its first fill."""
        trade = report.trade
        if trade is not None and report.order.filled == trade.quantity:
            credit = MAKER_CREDIT if trade.is_maker else TAKER_CREDIT
            self._limits.give_back_orders(str(report.account_id), credit)
