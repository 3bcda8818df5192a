"""The simulator's settings: one frozen tree, read from a JSON file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from millrace_simulator.venue.accounts import AccountSettings
from millrace_simulator.venue.rules import SymbolRules


def _listing(symbol: str, base: str, price: str, tick: str, lot: str) -> SymbolRules:
    """Return a symbol quoted in USDT."""
    return SymbolRules(
        symbol=symbol,
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        opening_price=Decimal(price),
    )


DEFAULT_SYMBOLS = (
    _listing("BTCUSDT", "BTC", "97400.00", "0.01", "0.00001"),
    _listing("ETHUSDT", "ETH", "3506.40", "0.01", "0.0001"),
    SymbolRules(
        symbol="ETHBTC",
        base="ETH",
        quote="BTC",
        tick_size=Decimal("0.00001"),
        lot_size=Decimal("0.001"),
        opening_price=Decimal("0.03600"),
        max_price=Decimal(922_327),
        min_notional=Decimal("0.0001"),
    ),
    _listing("KCSUSDT", "KCS", "12.500", "0.001", "0.01"),
    _listing("BNBUSDT", "BNB", "652.30", "0.01", "0.001"),
    _listing("SOLUSDT", "SOL", "184.20", "0.01", "0.001"),
    _listing("XRPUSDT", "XRP", "2.3500", "0.0001", "0.1"),
    _listing("ADAUSDT", "ADA", "0.7420", "0.0001", "0.1"),
)
"""Binance's spellings, with prices and steps of their kind; KCS, KuCoin's own coin, is listed too.

Every tick × lot is a whole number of 1e-8, so that all amounts print exactly.
"""


class ConfigError(Exception):
    """A config file cannot be used; the text names the file and the JSON path."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Rate limits; Binance's own figures by default."""

    enforce: bool = True
    """Whether to reject requests over a limit; they are counted either way."""
    weight_per_minute: int = 6000
    """Request weight for each IP address."""
    orders_per_10_seconds: int = 100
    """New orders for each account."""
    orders_per_day: int = 200_000
    raw_requests_per_5_minutes: int = 61_000


DEMO_ACCOUNT = AccountSettings(
    api_key="demo-key",
    secret="demo-secret",  # noqa: S106
    balances={
        "USDT": Decimal(1_000_000),
        "BTC": Decimal(100),
        "ETH": Decimal(1_000),
        "KCS": Decimal(100_000),
        "BNB": Decimal(1_000),
        "SOL": Decimal(5_000),
        "XRP": Decimal(200_000),
        "ADA": Decimal(500_000),
    },
)
"""The account of the built-in exchange; its keys are valid nowhere else."""


class SimulatorConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """All settings; the defaults are the built-in exchange."""

    seed: int = 1
    """Seed of the background participants: the same seed makes the same market."""
    events_per_second: float = 200
    """Changes of order books, over all symbols, on average."""
    depth_interval_ms: int = 100
    """Interval of the `@depth@100ms` streams."""
    record: bool = False
    """Whether to keep every change of every book, and every trade."""
    symbols: tuple[SymbolRules, ...] = DEFAULT_SYMBOLS
    accounts: tuple[AccountSettings, ...] = (DEMO_ACCOUNT,)
    limits: Limits = Limits()


def load(path: Path) -> SimulatorConfig:
    """Read a config file; missing values have the built-in defaults.

    Raises:
        ConfigError: the file cannot be read or a value is wrong; the text names the file and the JSON path.
    """
    try:
        config = msgspec.json.decode(path.read_bytes(), type=SimulatorConfig)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    problem = _problem(config)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}")
    return config


def default_config() -> SimulatorConfig:
    """Return the built-in exchange: eight symbols and the account "demo-key" / "demo-secret"."""
    return SimulatorConfig()


def _problem(config: SimulatorConfig) -> str | None:
    """Return the first mistake that involves several values, or None."""
    names = [rules.symbol for rules in config.symbols]
    for place, rules in enumerate(config.symbols):
        if names.index(rules.symbol) != place:
            return f"{rules.symbol} is listed twice - at `$.symbols[{place}]`"
        if min(rules.tick_size, rules.lot_size, rules.opening_price) <= 0:
            return f"tickSize, lotSize and openingPrice must be positive - at `$.symbols[{place}]`"
        if rules.opening_price % rules.tick_size:
            return f"openingPrice must be a multiple of tickSize - at `$.symbols[{place}].openingPrice`"
    keys = [account.api_key for account in config.accounts]
    for place, account in enumerate(config.accounts):
        if keys.index(account.api_key) != place:
            return f"the API key is used twice - at `$.accounts[{place}].apiKey`"
        if (account.secret is None) == (account.public_key is None):
            return f"set either secret or publicKey - at `$.accounts[{place}]`"
    if config.events_per_second < 0 or config.depth_interval_ms <= 0:
        return "eventsPerSecond must not be negative, depthIntervalMs must be positive - at `$`"
    return None
