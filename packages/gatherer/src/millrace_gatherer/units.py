"""Plans the streams of a configuration, and finds what no exchange could stream. Asks none."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from millrace_core.actions import ACTIONS, BALANCE, ORDER_BOOK
from millrace_core.config.common import Credentials
from millrace_core.config.gatherer import DataPoint, GathererConfig, GathererWorkplan
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import (
    StreamMistake,
    capability_mistakes,
    stream_mistakes,
    wallet_asked_for,
    wallet_of,
)
from millrace_gatherer.patterns import is_pattern, matching, near_patterns

DEFAULT_TIMEFRAME = "1m"
DEFAULT_CANDLES = 500
Listed = Mapping[tuple[Tenant, ExchangeId], frozenset[str]]
"""The symbols that are listed, by tenant and exchange."""
_NOTHING_LISTED: Final[Listed] = {}
Pattern = tuple[Tenant, ExchangeId, str, int]
"""A pattern of an account's workplans, and how many symbols it may match."""
_PRIVATE: Final[frozenset[str]] = frozenset(action.name for action in ACTIONS.values() if action.is_private)


@dataclass(frozen=True)
class StreamUnitConfig:
    """One stream to take, and all that it depends on."""

    name: StreamName
    credentials: Credentials
    retention: int
    snapshot_interval_s: float
    checksum_every: int
    depth: int | None = None
    """Of an order book: how many levels to ask for; None for ccxt's default."""
    timeframes: tuple[tuple[str, int], ...] = ()
    """Of candles: each timeframe, and how many candles of it to begin with."""
    remark: str | None = None
    """What its status says of it while it is live."""
    origin: str = field(default="", compare=False)
    """The JSON path of the data point that asks for it."""
    is_named: bool = field(default=True, compare=False)
    """Whether the configuration names its symbol; False if a pattern of it stands for that."""

    @property
    def key(self) -> str:
        """Return the name by which people know the unit, such as `PUBLIC.binance.watchOrderBook.ETH/BTC`."""
        return str(self.name).removeprefix("stream.")

    @property
    def group(self) -> str:
        """Return the account of a private stream, the feed of any other.

        The private streams of an account share a connection, a listen key and requests, and tenants share public feeds:
        so they share a process.
        """
        name = self.name
        if name.action in _PRIVATE:
            return f"{name.tenant}.{name.exchange}"
        return f"{name.exchange}.{name.action}.{name.symbol}"


class Plan(NamedTuple):
    """The streams that a configuration asks for."""

    units: dict[str, StreamUnitConfig]
    """By key."""
    overlaps: tuple[Problem, ...]
    """Where patterns ask for one with other settings than it has."""


@dataclass(frozen=True)
class Planned:
    """What was planned before: the exchange has changed since where its patterns match nothing any more, or too much.

    Then a pattern stands for what it stood for, and of too many symbols for those first.
    """

    patterns: frozenset[Pattern]
    units: Mapping[str, StreamUnitConfig]

    @classmethod
    def of(cls, config: GathererConfig, units: Mapping[str, StreamUnitConfig]) -> "Planned":
        """Return what a configuration was planned to be."""
        return cls(frozenset(pattern for plan in config.workplans for pattern in _patterns(plan)), units)

    def symbols(self, plan: GathererWorkplan) -> set[Symbol]:
        """Return the symbols of the streams of a workplan's account."""
        names = (unit.name for unit in self.units.values())
        return {name.symbol for name in names if name.symbol and name[:2] == (plan.tenant, plan.exchange_id)}


def stream_units(
    config: GathererConfig, listed: Listed = _NOTHING_LISTED, before: Planned | None = None
) -> dict[str, StreamUnitConfig]:
    """Return the streams that a configuration asks for, by key. See `plan`."""
    return plan(config, listed, before).units


def plan(config: GathererConfig, listed: Listed = _NOTHING_LISTED, before: Planned | None = None) -> Plan:
    """Return the streams that a configuration asks for; candles of several timeframes are one stream.

    Patterns stand for the symbols that are `listed`, by tenant and exchange; for none where these are not known. What
    two of them match can change with every listing, so that is no mistake: a stream has the settings of the workplan
    that names its symbol, or of the first one.

    Raises:
        ConfigInvalid: a stream is named twice with different settings, or a pattern that was not planned `before`
            matches nothing or too much.
    """
    units: dict[str, StreamUnitConfig] = {}
    problems: list[Problem] = []
    overlaps: list[StreamUnitConfig] = []
    for index, workplan in enumerate(config.workplans):
        credentials = config.exchanges[workplan.tenant][workplan.exchange_id]
        symbols = _symbols_of(workplan, listed, before)
        for place, point in enumerate(workplan.data_points):
            where = f"$.workplans[{index}].dataPoints[{place}]"
            for unit in _units_of(workplan, point, symbols, credentials, where):
                mistakes = stream_mistakes(unit.name.exchange, unit.name.action, unit.name.symbol, unit.depth)
                problems += (problem_of(unit, mistake) for mistake in mistakes)
                known = units.get(unit.key)
                if (merged := _merged(known, unit)) is not None:
                    units[unit.key] = merged
                elif known is None or (known.is_named and unit.is_named):
                    problems.append(Problem(where, f"{unit.key} is configured twice with different settings"))
                else:
                    units[unit.key] = unit if unit.is_named else known
                    overlaps.append(known if unit.is_named else unit)
    if before is not None:
        problems += (problem for pattern, problem in pattern_mistakes(config, listed) if pattern not in before.patterns)
    if problems:
        raise ConfigInvalid(tuple(dict.fromkeys(problems)))
    planned = {key: replace(unit, remark=_missing_wallets(unit, units.values())) for key, unit in units.items()}
    return Plan(planned, tuple(_overlaps(overlaps)))


def pattern_mistakes(config: GathererConfig, listed: Listed) -> Iterator[tuple[Pattern, Problem]]:
    """Yield the patterns that match nothing, or too much, of what is listed."""
    for index, plan in enumerate(config.workplans):
        symbols = listed.get((plan.tenant, plan.exchange_id))
        for place, text in enumerate(plan.asset_pairs if symbols is not None else ()):
            if is_pattern(text) and (mistake := _pattern_mistake(plan, text, symbols or frozenset())):
                pattern = (plan.tenant, plan.exchange_id, text, plan.max_symbols)
                yield pattern, Problem(f"$.workplans[{index}].assetPairs[{place}]", mistake)


def check_capabilities(units: Iterable[StreamUnitConfig]) -> None:
    """Check that exchanges have the streams that are asked for. The first of an exchange takes about a second.

    Raises:
        ConfigInvalid: an exchange has no such stream, or no candles of a timeframe.
    """
    problems = [
        problem_of(unit, mistake)
        for unit in units
        for mistake in capability_mistakes(unit.name.exchange, unit.name.action, [name for name, _ in unit.timeframes])
    ]
    if problems:
        raise ConfigInvalid(tuple(dict.fromkeys(problems)))


def problem_of(unit: StreamUnitConfig, mistake: StreamMistake) -> Problem:
    """Return a mistake with the place in the configuration that it has."""
    plan = unit.origin.partition(".dataPoints")[0]
    owner = plan if mistake.place in ("exchangeId", "assetPairs") else unit.origin
    return Problem(f"{owner}.{mistake.place}", mistake.message)


def _overlaps(left_out: Iterable[StreamUnitConfig]) -> Iterator[Problem]:
    """Yield what to say of streams that have other settings than a data point asks for, once for each."""
    keys: dict[str, list[str]] = {}
    for unit in left_out:
        keys.setdefault(unit.origin, []).append(unit.key)
    for origin, (first, *others) in keys.items():
        more = f" and {len(others)} more" if others else ""
        yield Problem(origin, f"{first}{more} is asked for elsewhere too, and has the settings from there")


def _missing_wallets(unit: StreamUnitConfig, units: Iterable[StreamUnitConfig]) -> str | None:
    """Return what a stream of balances leaves out of the money for the markets in which its account trades."""
    if unit.name.action != BALANCE.name:
        return None
    account = unit.name[:2]
    names = (each.name for each in units)
    symbols = {name.symbol for name in names if name[:2] == account and name.action in _PRIVATE and name.symbol}
    asked = wallet_asked_for(unit.name.exchange, unit.credentials.options)
    if asked is None or not (missing := sorted({wallet_of(symbol) for symbol in symbols} - {asked})):
        return None
    return (
        f"of the wallet for {asked} alone: what the account trades with in {' and '.join(missing)} is not in it, "
        "unless the exchange has made it one wallet for all"
    )


def _patterns(plan: GathererWorkplan) -> Iterator[Pattern]:
    return ((plan.tenant, plan.exchange_id, text, plan.max_symbols) for text in plan.asset_pairs if is_pattern(text))


def _symbols_of(plan: GathererWorkplan, listed: Listed, before: Planned | None) -> dict[Symbol, bool]:
    """Return a workplan's symbols, and of each whether it names it: the others are those that its patterns match."""
    symbols = dict.fromkeys((symbol for symbol in plan.asset_pairs if not is_pattern(symbol)), True)
    known = listed.get((plan.tenant, plan.exchange_id))
    if known is None:
        return symbols
    former = set() if before is None else before.symbols(plan)
    for *_, pattern, most in _patterns(plan):
        found = matching(pattern, known) or matching(pattern, former)
        chosen = sorted(found, key=lambda symbol: symbol not in former)[:most]
        symbols = symbols | {symbol: False for symbol in chosen if symbol not in symbols}
    return symbols


def _pattern_mistake(plan: GathererWorkplan, pattern: str, listed: frozenset[str]) -> str | None:
    found = matching(pattern, listed)
    if not found:
        return f"{pattern} matches no market of {plan.exchange_id}{near_patterns(pattern, listed)}"
    if len(found) > plan.max_symbols:
        allowed = f"which is more than maxSymbols ({plan.max_symbols}) allows"
        return f"{pattern} matches {len(found)} markets of {plan.exchange_id}, {allowed}"
    return None


def _units_of(
    plan: GathererWorkplan,
    point: DataPoint,
    asset_pairs: Mapping[Symbol, bool],
    credentials: Credentials,
    origin: str,
) -> Iterator[StreamUnitConfig]:
    action = ACTIONS[point.action]
    symbols: Iterable[tuple[Symbol | None, bool]] = ((None, True),) if action.is_account_wide else asset_pairs.items()
    timeframes = ((point.timeframe or DEFAULT_TIMEFRAME, point.limit or DEFAULT_CANDLES),)
    for symbol, is_named in symbols:
        yield StreamUnitConfig(
            name=StreamName(plan.tenant, plan.exchange_id, Action(point.action), symbol),
            credentials=credentials,
            retention=plan.retention,
            snapshot_interval_s=plan.snapshot_interval,
            checksum_every=plan.checksum_every,
            depth=point.limit if action is ORDER_BOOK else None,
            timeframes=timeframes if action.per_timeframe else (),
            origin=origin,
            is_named=is_named,
        )


def _merged(known: StreamUnitConfig | None, unit: StreamUnitConfig) -> StreamUnitConfig | None:
    if known is None or known == unit:
        return unit if known is None else replace(unit, is_named=known.is_named or unit.is_named)
    if replace(known, timeframes=()) != replace(unit, timeframes=()):
        return None
    timeframes = dict(known.timeframes)
    for timeframe, limit in unit.timeframes:
        timeframes[timeframe] = max(limit, timeframes.get(timeframe, 0))
    return replace(known, timeframes=tuple(timeframes.items()), is_named=known.is_named or unit.is_named)
