"""Controls the trading of a tenant on all its accounts: limits, halts, and what was sent lately."""

import asyncio
from collections.abc import Mapping
from typing import Final

from millrace_core.config import OrderLimits, RiskLimits
from millrace_core.halts import HaltScope, HaltState
from millrace_core.names import ExchangeId
from millrace_executor.risk.checks import Approved, Bound, Facts, RiskRejection, decide
from millrace_executor.risk.exposure import AccountExposure, BoundExposure
from millrace_executor.risk.recent_orders import RecentOrders
from millrace_executor.risk.source_rates import SourceRates
from millrace_executor.risk.terms import NewTerms, left_of_replaced

Limits = Mapping[str, OrderLimits]
"""Limits by their place in the tenant's: empty for its own, `accounts.binance.`, `sources.PingPong.`."""
SOURCES: Final = "sources."


class TradingControls:
    """One tenant's controls. Nothing may be sent before its limits are known and its halts are known or in doubt."""

    def __init__(self) -> None:
        self._limits: RiskLimits | None = None
        self._halts = HaltState()
        self._doubt: str | None = None
        self._are_halts_judged = False
        """Whether it is decided that the halts are known, or that they are in doubt."""
        self._known = asyncio.Event()
        self.exposures: dict[ExchangeId, AccountExposure] = {}
        """What each account that is open holds and has under way."""
        self._binding: Limits = {}
        self.counts_exposure = False
        """Whether a limit of the tenant needs to know what its accounts hold or have open."""
        self.limits_sources = False
        """Whether there are limits on single sources."""
        self._recent: dict[str, RecentOrders] = {}
        self._rates = SourceRates()

    @property
    def halts(self) -> HaltState:
        """Return what is known of halts; kept here because it outlives the unit that reads them."""
        return self._halts

    @property
    def doubt(self) -> str | None:
        """Return why nothing new may be sent whatever is halted: more may be halted than is known. Else None."""
        return self._doubt

    def set_limits(self, limits: RiskLimits) -> None:
        """Put limits in force from the next order on."""
        self._limits = limits
        self._binding = binding_limits(limits)
        self.counts_exposure = any(each.needs_exposure for each in self._binding.values())
        self.limits_sources = any(path.startswith(SOURCES) for path in self._binding)
        self._recent = {path: recent for path, recent in self._recent.items() if path in self._binding}
        self._check_known()

    def learn_halts(self, state: HaltState) -> None:
        """Put halts, and the ends of halts, in force from the next order on; what was known before is kept."""
        self._halts = self._halts.join(state)

    def doubt_halts(self, reason: str) -> None:
        """Refuse new orders, with this reason, until `trust_halts`."""
        self._doubt = reason
        self._judged()

    def trust_halts(self) -> None:
        """Let orders pass unless a known halt covers them."""
        self._doubt = None
        self._judged()

    async def known(self) -> None:
        """Wait until limits are known, and halts are known or in doubt."""
        await self._known.wait()

    def halt_reason(self, exchange: ExchangeId, order_source: str | None) -> str | None:
        """Return why an order of this source on this exchange may not be sent, or None."""
        if self._doubt is not None:
            return self._doubt
        for scope, note in self._halts.halts.items():
            if scope.covers(exchange, order_source):
                by = f" by {note.by}" if note.by else ""
                reason = f": {note.reason}" if note.reason else ""
                return f"{_subject(scope)} is halted{by}{reason}"
        return None

    def runaway_reason(self, source: str, elapsed_ms: int) -> str | None:
        """Count an order or edit that a source asks for; return why the source is to be halted, or None."""
        limit = None if self._limits is None else self._limits.runaway_orders_per_minute
        if limit is None or not self._rates.is_beyond(source, limit, elapsed_ms):
            return None
        return f"runawayOrdersPerMinute is {limit}, and {source} asked for more within a minute"

    def limits_on(self, exchange: ExchangeId, *sources: str | None) -> Limits:
        """Return the limits that bind an order, without those that limit nothing.

        An edit is bound by those of its sender, and by those of the source whose order it is.
        """
        paths = ("", f"accounts.{exchange}.", *map(_path_of, filter(None, sources)))
        return {path: self._binding[path] for path in paths if path in self._binding}

    def decide(self, request: NewTerms, exchange: ExchangeId, facts: Facts) -> Approved | RiskRejection:
        """Decide by the limits in force; an approved order counts as sent from then on."""
        limits = self.limits_on(exchange, request.payload.order_source, facts.terms.source)
        bounds = [self._bound(path, each, exchange, facts) for path, each in limits.items()]
        decision = decide(request, bounds, facts)
        if isinstance(decision, Approved):
            for path, each in limits.items():
                self._recent_of(path).approved(facts.terms, each, facts.elapsed_ms)
        return decision

    def _bound(self, path: str, limits: OrderLimits, exchange: ExchangeId, facts: Facts) -> Bound:
        recent, terms = self._recent_of(path), facts.terms
        own = self.exposures.get(exchange)
        others = [] if path.startswith("accounts.") else [e for e in self.exposures.values() if e is not own]
        source = path.removeprefix(SOURCES).removesuffix(".") if path.startswith(SOURCES) else None
        left = left_of_replaced(terms, facts.market)
        exposure = None if own is None else BoundExposure(own, others, source, terms.replaces, left)
        return Bound(path, limits, recent.sent_ms, recent.duplicate_of_ms(terms, facts.elapsed_ms), exposure)

    def _recent_of(self, path: str) -> RecentOrders:
        return self._recent.setdefault(path, RecentOrders())

    def _judged(self) -> None:
        self._are_halts_judged = True
        self._check_known()

    def _check_known(self) -> None:
        if self._limits is not None and self._are_halts_judged:
            self._known.set()


def binding_limits(limits: RiskLimits) -> Limits:
    """Return all limits of a tenant, without those that limit nothing."""
    every: dict[str, OrderLimits] = {"": limits}
    every |= {f"accounts.{exchange}.": each for exchange, each in limits.accounts.items()}
    every |= {_path_of(source): each for source, each in limits.sources.items()}
    return {path: each for path, each in every.items() if each.binds_orders}


def _path_of(source: str) -> str:
    return f"{SOURCES}{source}."


def _subject(scope: HaltScope) -> str:
    if scope == HaltScope():
        return "all trading of this tenant"
    where = f"trading on {scope.exchange}" if scope.exchange else "trading"
    return f"{where} for {scope.order_source}" if scope.order_source else where
