"""The options that say which strategy runs over which recordings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace_cli.options import Since, TenantFilter, Until
from millrace_cli.running import CommandFailed
from millrace_core.clock import NS_PER_MS
from millrace_core.json_problems import TOO_DEEP, load_json, silent_mistakes

if TYPE_CHECKING:
    from millrace_backtest.recording.files import Recording
    from millrace_backtest.scan import Scan
    from millrace_backtest.settings import BacktestSettings
    from millrace_backtest.strategies import BacktestedStrategy
    from millrace_magicbox.plan import StrategyPlan
    from millrace_strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class RecordingArguments:
    """Which recordings, whose streams of them, and where strategies are."""

    data: Annotated[
        list[Path], typer.Option("--data", exists=True, help="A recording, or a folder of recordings. Repeatable.")
    ]
    tenant: TenantFilter = None
    plugin_dir: Annotated[
        Path | None,
        typer.Option(file_okay=False, exists=True, envvar="MILLRACE_PLUGIN_DIR", help="Folder of strategies."),
    ] = None

    def sources(self) -> "list[Recording]":
        """Return the recordings.

        Raises:
            NothingRecorded: there is none.
        """
        from millrace_backtest.recording.files import recordings

        return recordings(self.data)

    def folder(self) -> Path | None:
        """Return the folder of strategies."""
        from millrace_magicbox.plugins import plugin_folder

        return self.plugin_dir or plugin_folder()

    def load(self, name: str) -> "type[Strategy]":
        """Return the class of a strategy.

        Raises:
            MillraceError: there is none, or it cannot be imported.
        """
        from millrace_magicbox.plugins import load_strategy

        return load_strategy(name, self.folder())


@dataclass(frozen=True, kw_only=True)
class StrategyArguments(RecordingArguments):
    """Which strategies run over which recordings, and how they are set."""

    strategy: Annotated[str | None, typer.Option(help="The strategy, as `pluginName` names it.")] = None
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A magicbox's configuration: all its strategies."),
    ] = None
    configuration: Annotated[
        str, typer.Option("--configuration", "-c", help="The strategy's own settings: JSON, or @FILE.")
    ] = "{}"
    name: Annotated[str | None, typer.Option(help="The source of its orders; by default --strategy.")] = None
    streams: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Streams that it follows; by default all. Repeatable."),
    ] = None

    def only_plan(self, scanned: "Scan", *, is_checked: bool = True) -> "BacktestedStrategy":
        """Return the one strategy to run; its settings are not checked where some are added later.

        Raises:
            CommandFailed: a configuration runs several, or as `plans` says.
        """
        plans = self.plans(scanned, is_checked=is_checked)
        if len(plans) > 1:
            raise CommandFailed(f"choose one of {', '.join(plan.name for plan in plans)} with --name")
        return plans[0]

    def plans(self, scanned: "Scan", *, is_checked: bool = True) -> "list[BacktestedStrategy]":
        """Return the strategies to run on a recording: one, or those of a magicbox's configuration.

        Raises:
            CommandFailed: neither or both are named, or the settings are not JSON.
            MillraceError: there is no such strategy, or its settings or the tenant are wrong.
        """
        from millrace_strategy import read_configuration

        if (self.strategy is None) == (self.config is None):
            raise CommandFailed("name a strategy with --strategy, or a magicbox's configuration with --config")
        if self.config is None:
            found = [self._single(self.strategy or "", scanned)]
            paths = ["$"]
        else:
            configured = self._configured(self.config)
            found, paths = [self._planned(plan) for plan in configured], [plan.path for plan in configured]
        if not found:
            raise CommandFailed(f"no strategy of {self.config} is chosen by --name and --tenant")
        if is_checked:
            for plan, path in zip(found, paths, strict=True):
                read_configuration(plan.strategy.Configuration, plan.configuration, path=path)
        return found

    def plugin_name(self, plan: "BacktestedStrategy") -> str:
        """Return the name by which the strategy of one of the plans is loaded."""
        if self.config is None:
            return self.strategy or ""
        named = {(each.tenant, each.name): each.plugin_name for each in self._configured(self.config)}
        return named[plan.tenant, plan.name]

    def _single(self, strategy: str, scanned: "Scan") -> "BacktestedStrategy":
        from millrace_backtest.strategies import BacktestedStrategy
        from millrace_backtest.subscriptions import only_tenant, subscriptions

        loaded = self.load(strategy)
        tenant = self.tenant or only_tenant(scanned.streams)
        settings = json_object(self.configuration)
        return BacktestedStrategy(
            strategy=loaded,
            tenant=tenant,
            name=self.name or strategy,
            configuration=settings,
            streams=subscriptions(scanned.streams, tenant, self.streams or ()),
        )

    def _configured(self, config: Path) -> "list[StrategyPlan]":
        from millrace_core.config import MagicboxConfig, parse_config
        from millrace_magicbox.plan import plans

        found = plans(parse_config(MagicboxConfig, config.read_bytes())).values()
        return [each for each in found if self.name in (None, each.name) and self.tenant in (None, each.tenant)]

    def _planned(self, plan: "StrategyPlan") -> "BacktestedStrategy":
        """Return a strategy of a configuration with the subscriptions and limits that it has live."""
        from millrace_backtest.strategies import BacktestedStrategy

        return BacktestedStrategy(
            strategy=self.load(plan.plugin_name),
            tenant=plan.tenant,
            name=plan.name,
            configuration=plan.configuration,
            streams=plan.streams,
            limits=plan.limits,
        )


@dataclass(frozen=True, kw_only=True)
class ExchangeArguments:
    """How the exchanges of a backtest behave, and of what of the recordings it is made."""

    latency: Annotated[
        str, typer.Option(help="ms each way: 5, or 5:40 for a median and a 99th percentile, or `recorded`.")
    ] = "5"
    fees: Annotated[
        list[str] | None,
        typer.Option(help="MAKER/TAKER as shares, or EXCHANGE=MAKER/TAKER/CURRENCY. Repeatable. [0.001/0.001]"),
    ] = None
    balance: Annotated[
        list[str] | None,
        typer.Option(help="CURRENCY=AMOUNT that each account holds; by default what was recorded. Repeatable."),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 1
    since: Since = None
    until: Until = None

    def settings(self) -> "BacktestSettings":
        """Return the settings.

        Raises:
            CommandFailed: a balance or a moment cannot be read.
            FeesUnreadable: fees cannot be read.
        """
        from millrace_backtest.exchange.fees import read_fees
        from millrace_backtest.settings import BacktestSettings

        return BacktestSettings(
            latency=self.latency,
            fees=read_fees(self.fees or ()),
            balances=amounts(self.balance or ()),
            seed=self.seed,
            since_ns=moment_ns(self.since),
            until_ns=moment_ns(self.until),
        )


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
        except InvalidOperation:
            found[currency] = Decimal("NaN")
        if not (currency and found[currency].is_finite() and found[currency] >= 0):
            raise CommandFailed(f"{text!r} is no balance: write CURRENCY=AMOUNT, such as USDT=1000")
    return found or None


def json_object(text: str) -> dict[str, Any]:
    """Return settings, given as JSON or as @FILE."""
    given = Path(text[1:]).read_text() if text.startswith("@") else text
    try:
        found = load_json(given)
    except ValueError as error:
        raise CommandFailed(f"--configuration is not JSON: {error}") from error
    except RecursionError as error:
        raise CommandFailed("--configuration has mistakes", (TOO_DEEP,)) from error
    if not isinstance(found, dict):
        raise CommandFailed("--configuration must be a JSON object, such as '{\"amount\": 1}'")
    if problems := [*silent_mistakes(found)]:
        raise CommandFailed("--configuration has mistakes", problems)
    plain: dict[str, Any] = json.loads(given)
    return plain


def new_file(out: Path) -> Path:
    """Return the file to write: `out`, or one named by now if it is a folder; one that exists is never overwritten."""
    from millrace_backtest.recording.files import SUFFIX

    if out.is_dir() or not out.suffix:
        out.mkdir(parents=True, exist_ok=True)
        out = out / f"{datetime.now(UTC):%Y%m%dT%H%M%S}{SUFFIX}"
    if out.exists():
        raise CommandFailed(f"{out} exists: name another file")
    return out
