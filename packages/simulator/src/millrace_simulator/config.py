"""The simulator's settings: one frozen tree, read from a JSON file."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from millrace_simulator.venue.accounts import AccountSettings
from millrace_simulator.venue.rules import SymbolRules


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How much a client may ask; Binance's own figures by default."""

    enforce: bool = True
    """Whether to refuse what goes beyond; the counting goes on either way."""
    weight_per_minute: int = 6000
    """Request weight for each IP address."""
    orders_per_10_seconds: int = 100
    """New orders for each account."""
    orders_per_day: int = 200_000
    raw_requests_per_5_minutes: int = 61_000


class SimulatorConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Everything that the simulator can be told."""

    seed: int = 1
    """Decides everything that the background participants do."""
    events_per_second: float = 200
    """Changes of order books, over all symbols, on average."""
    depth_interval_ms: int = 100
    """How long `@depth@100ms` gathers changes."""
    record: bool = False
    """Whether to keep every change of every book, and every trade."""
    symbols: tuple[SymbolRules, ...] = ()
    accounts: tuple[AccountSettings, ...] = ()
    limits: Limits = Limits()


def load(path: Path) -> SimulatorConfig:
    """Read a config file; what it leaves out has the built-in default.

    Raises:
        ConfigError: the file cannot be read or a value is wrong; the text names the file and the JSON path.
    """
    raise NotImplementedError


def default_config() -> SimulatorConfig:
    """The built-in exchange: eight symbols and the account "demo-key" / "demo-secret"."""
    raise NotImplementedError
