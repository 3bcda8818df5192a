"""The options that say which strategy runs over which recordings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace_cli.running import CommandFailed
from millrace_core import names
from millrace_core.clock import NS_PER_MS

if TYPE_CHECKING:
    from millrace_backtest.recording.files import Recording
    from millrace_backtest.scan import Scan
    from millrace_backtest.strategies import BacktestedStrategy
    from millrace_strategy import Strategy

Data = Annotated[
    list[Path], typer.Option("--data", exists=True, help="A recording, or a folder of recordings. Repeatable.")
]
StrategyName = Annotated[str | None, typer.Option("--strategy", help="The strategy, as `pluginName` names it.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        exists=True,
        dir_okay=False,
        help="Instead of a strategy, a magicbox's configuration: all that it runs.",
    ),
]
ConfigurationText = Annotated[
    str, typer.Option("--configuration", "-c", help="The strategy's own settings: JSON, or @FILE.")
]
SourceName = Annotated[str | None, typer.Option("--name", help="The source of its orders; by default --strategy.")]
PluginDir = Annotated[
    Path | None,
    typer.Option(file_okay=False, exists=True, envvar="MILLRACE_PLUGIN_DIR", help="Folder of strategies."),
]
Streams = Annotated[
    list[str] | None,
    typer.Option("--streams", metavar="PATTERN", help="Streams that it follows; by default all. Repeatable."),
]


@dataclass(frozen=True, kw_only=True)
class StrategyArguments:
    """Which strategies, and how they are set."""

    strategy: str | None
    config: Path | None
    configuration: str
    name: str | None
    plugin_dir: Path | None
    tenant: names.Tenant | None
    streams: Sequence[str]

    def plans(self, scanned: "Scan") -> "list[BacktestedStrategy]":
        """Return the strategies to run on a recording: one, or those of a magicbox's configuration.

        Raises:
            CommandFailed: neither or both are named, or the settings are not JSON.
            MillraceError: there is no such strategy, or its settings or the tenant are wrong.
        """
        if (self.strategy is None) == (self.config is None):
            raise CommandFailed("name a strategy with --strategy, or a magicbox's configuration with --config")
        found = (
            self._configured(self.config) if self.config is not None else [self._single(self.strategy or "", scanned)]
        )
        if not found:
            raise CommandFailed(f"no strategy of {self.config} is chosen by --name and --tenant")
        return found

    def _single(self, strategy: str, scanned: "Scan") -> "BacktestedStrategy":
        from millrace_backtest.strategies import BacktestedStrategy
        from millrace_backtest.subscriptions import only_tenant, subscriptions
        from millrace_strategy import read_configuration

        loaded = self._load(strategy)
        tenant = self.tenant or only_tenant(scanned.streams)
        settings = _object(self.configuration)
        read_configuration(loaded.Configuration, settings)
        return BacktestedStrategy(
            strategy=loaded,
            tenant=tenant,
            name=self.name or strategy,
            configuration=settings,
            streams=subscriptions(scanned.streams, tenant, self.streams),
        )

    def _configured(self, config: Path) -> "list[BacktestedStrategy]":
        """Return the strategies of a configuration with the subscriptions and limits that they have live."""
        from millrace_backtest.strategies import BacktestedStrategy
        from millrace_core.config import MagicboxConfig, parse_config
        from millrace_magicbox.plan import plans
        from millrace_strategy import read_configuration

        wanted = []
        for plan in plans(parse_config(MagicboxConfig, config.read_bytes())).values():
            if self.name in (None, plan.name) and self.tenant in (None, plan.tenant):
                loaded = self._load(plan.plugin_name)
                read_configuration(loaded.Configuration, plan.configuration, path=plan.path)
                wanted.append(
                    BacktestedStrategy(
                        strategy=loaded,
                        tenant=plan.tenant,
                        name=plan.name,
                        configuration=plan.configuration,
                        streams=plan.streams,
                        limits=plan.limits,
                    )
                )
        return wanted

    def _load(self, name: str) -> "type[Strategy]":
        from millrace_magicbox.plugins import load_strategy, plugin_folder

        return load_strategy(name, self.plugin_dir or plugin_folder())


def recorded(data: Sequence[Path]) -> "list[Recording]":
    """Return the recordings of `--data`."""
    from millrace_backtest.recording.files import recordings

    return recordings(data)


def moment_ns(text: str | None) -> int | None:
    """Return a moment, given as ISO-8601 or as ms since 1970, in ns."""
    if text is None:
        return None
    if text.isdecimal():
        return int(text) * NS_PER_MS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"{text!r} is no moment: write 2026-01-31T12:00, or ms since 1970") from error
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(known.timestamp() * 1_000) * NS_PER_MS


def amounts(texts: Sequence[str]) -> dict[str, Decimal] | None:
    """Return balances such as `USDT=1000` by currency; None if there are none."""
    found = {}
    for text in texts:
        currency, _, amount = text.partition("=")
        try:
            found[currency] = Decimal(amount)
        except InvalidOperation as error:
            raise CommandFailed(f"{text!r} is no balance: write CURRENCY=AMOUNT, such as USDT=1000") from error
    return found or None


def _object(text: str) -> dict[str, Any]:
    given = Path(text[1:]).read_text() if text.startswith("@") else text
    try:
        found = json.loads(given)
    except ValueError as error:
        raise CommandFailed(f"--configuration is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandFailed("--configuration must be a JSON object, such as '{\"amount\": 1}'")
    return found
