"""The strategies that a configuration asks for, each with everything that its run depends on. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from millrace_core.actions import ACTIONS
from millrace_core.config import MagicboxConfig, MagicboxWorkplan, StreamSubscription
from millrace_core.config.magicbox import StrategyLimits
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import PUBLIC, Action, StreamName, Tenant
from millrace_strategy import SubscribedStream


@dataclass(frozen=True, kw_only=True)
class StrategyPlan:
    """One strategy to run."""

    tenant: Tenant
    name: str
    """The source that its orders carry."""
    plugin_name: str
    configuration: dict[str, Any]
    streams: tuple[SubscribedStream, ...]
    limits: StrategyLimits = field(default_factory=StrategyLimits)
    path: str = field(compare=False)
    """JSON path of its configuration in the agent's. A change of the path alone restarts nothing."""

    def stream_name(self, stream: SubscribedStream) -> StreamName:
        """Return the name of a subscribed stream."""
        return StreamName(PUBLIC if stream.is_public else self.tenant, stream.exchange, stream.action, stream.symbol)


def plans(config: MagicboxConfig) -> dict[str, StrategyPlan]:
    """Return the strategies to run by the name of their unit, `{tenant}.{name}`.

    Raises:
        ConfigInvalid: two strategies of a tenant have the same name, or a subscription makes no sense.
    """
    found: dict[str, StrategyPlan] = {}
    stopped: set[str] = set()
    problems: list[Problem] = []
    for number, workplan in enumerate(config.workplans):
        where = f"$.workplans[{number}]"
        problems += _subscription_problems(workplan, where)
        for index, plan in enumerate(_plans_of(workplan, where)):
            key = f"{plan.tenant}.{plan.name}"
            if key in found or key in stopped:
                problems.append(
                    Problem(f"{where}.plugins[{index}].name", f"{key} exists already; set a different name")
                )
            if workplan.plugins[index].status == "started":
                found[key] = plan
            else:
                stopped.add(key)
    if problems:
        raise ConfigInvalid(tuple(problems))
    return found


def _plans_of(workplan: MagicboxWorkplan, where: str) -> Iterator[StrategyPlan]:
    streams = tuple(_subscribed_stream(subscription) for subscription in workplan.subscriptions)
    for index, plugin in enumerate(workplan.plugins):
        yield StrategyPlan(
            tenant=workplan.tenant,
            name=plugin.name or plugin.plugin_name,
            plugin_name=plugin.plugin_name,
            configuration=plugin.configuration,
            streams=streams,
            limits=plugin.limits,
            path=f"{where}.plugins[{index}].configuration",
        )


def _subscribed_stream(subscription: StreamSubscription) -> SubscribedStream:
    symbol = None if ACTIONS[subscription.data_point].is_account_wide else subscription.symbol
    return SubscribedStream(subscription.exchange_id, symbol, Action(subscription.data_point), subscription.is_public)


def _subscription_problems(workplan: MagicboxWorkplan, where: str) -> Iterator[Problem]:
    seen: set[tuple[str, str | None, str]] = set()
    for index, subscription in enumerate(workplan.subscriptions):
        at = f"{where}.subscriptions[{index}]"
        exchange, symbol, action, is_public = _subscribed_stream(subscription)
        facts = ACTIONS[subscription.data_point]
        if symbol is None and not facts.is_account_wide:
            yield Problem(f"{at}.symbol", f"is missing; {action} needs a symbol")
        if is_public and facts.is_private:
            yield Problem(f"{at}.isPublic", f"must be false: {action} belongs to an account")
        if (exchange, symbol, action) in seen:
            stream = " ".join(filter(None, (exchange, symbol, action)))
            yield Problem(at, f"{stream} is subscribed to twice; keep either the public or the private one")
        seen.add((exchange, symbol, action))
