"""The simulator's settings: one frozen tree, read from a JSON file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from millrace_simulator.listings import BINANCE_SYMBOLS, SYMBOLS, DialectName
from millrace_simulator.venue.accounts import AccountSettings
from millrace_simulator.venue.rules import SymbolRules


class ConfigError(Exception):
    """A config file cannot be used; the text names the file and the JSON path."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Rate limits, each of one dialect; its exchange's own figures by default."""

    enforce: bool = True
    """Whether to reject requests over a limit; they are counted either way."""
    weight_per_minute: int = 6000
    """Binance: request weight for each IP address."""
    orders_per_10_seconds: int = 100
    """Binance: new orders for each account."""
    orders_per_day: int = 200_000
    raw_requests_per_5_minutes: int = 61_000
    spot_weight_per_30_seconds: int = 4000
    """KuCoin: request weight of trading, for each account; its VIP level 0."""
    management_weight_per_30_seconds: int = 2000
    """KuCoin: request weight of balances and keys, for each account."""
    public_weight_per_30_seconds: int = 2000
    """KuCoin: request weight of market data, for each IP address."""


_WITH_PASSPHRASE: frozenset[DialectName] = frozenset({"kucoin"})
"""The dialects whose clients sign with a secret and a passphrase."""

DEMO_ACCOUNT = AccountSettings(
    api_key="demo-key",
    secret="demo-secret",  # noqa: S106
    passphrase="demo-passphrase",  # noqa: S106
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

    dialect: DialectName = "binance"
    """Whose wire protocol it speaks."""
    seed: int = 1
    """Seed of the background participants: the same seed makes the same market."""
    events_per_second: float = 200
    """Changes of order books, over all symbols, on average."""
    depth_interval_ms: int = 100
    """Interval of the `@depth@100ms` streams."""
    book_levels: int = 5000
    """How many levels a side a book gets at most, once a client asks for so many; some hundred stand without."""
    record: bool = False
    """Whether to keep every change of every book, and every trade."""
    symbols: tuple[SymbolRules, ...] = BINANCE_SYMBOLS
    """The default is Binance's; a file that says nothing, and `default_config`, have those of the dialect."""
    accounts: tuple[AccountSettings, ...] = (DEMO_ACCOUNT,)
    limits: Limits = Limits()


def load(path: Path, dialect: DialectName | None = None) -> SimulatorConfig:
    """Read a config file; missing values have the built-in defaults. `dialect` goes before what the file says.

    Raises:
        ConfigError: the file cannot be read or a value is wrong; the text names the file and the JSON path.
    """
    try:
        config = _decoded(path.read_bytes(), dialect)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    problem = _problem(config)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}")
    return config


def default_config(dialect: DialectName = "binance") -> SimulatorConfig:
    """Return the built-in exchange: eight symbols and the account "demo-key" / "demo-secret"."""
    return SimulatorConfig(dialect=dialect, symbols=SYMBOLS[dialect])


def _decoded(content: bytes, dialect: DialectName | None) -> SimulatorConfig:
    config = msgspec.json.decode(content, type=SimulatorConfig)
    given = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    dialect = dialect or config.dialect
    return replace(config, dialect=dialect, symbols=config.symbols if "symbols" in given else SYMBOLS[dialect])


def symbol_problem(rules: SymbolRules) -> str | None:
    """Return what is wrong with a symbol by itself, or None."""
    if min(rules.tick_size, rules.lot_size, rules.opening_price) <= 0:
        return "tickSize, lotSize and openingPrice must be positive"
    if rules.opening_price % rules.tick_size:
        return "openingPrice must be a multiple of tickSize"
    return None


def _problem(config: SimulatorConfig) -> str | None:
    """Return the first mistake that involves several values, or None."""
    names = [rules.symbol for rules in config.symbols]
    for place, rules in enumerate(config.symbols):
        if names.index(rules.symbol) != place:
            return f"{rules.symbol} is listed twice - at `$.symbols[{place}]`"
        if (mistake := symbol_problem(rules)) is not None:
            return f"{mistake} - at `$.symbols[{place}]`"
    keys = [account.api_key for account in config.accounts]
    for place, account in enumerate(config.accounts):
        if keys.index(account.api_key) != place:
            return f"the API key is used twice - at `$.accounts[{place}].apiKey`"
        if (account.secret is None) == (account.public_key is None):
            return f"set either secret or publicKey - at `$.accounts[{place}]`"
        if config.dialect in _WITH_PASSPHRASE and (account.secret is None or account.passphrase is None):
            return f"{config.dialect} needs secret and passphrase - at `$.accounts[{place}]`"
    if config.events_per_second < 0 or config.depth_interval_ms <= 0:
        return "eventsPerSecond must not be negative, depthIntervalMs must be positive - at `$`"
    return None
