"""Which strategies a configuration asks for, each with all that its run depends on. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from millrace_core.config import MagicboxConfig, MagicboxWorkplan, Subscription
from millrace_core.config.gatherer import ACCOUNT_WIDE_ACTIONS, PRIVATE_ACTIONS
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import PUBLIC, Action, StreamName, Tenant
from millrace_strategy import Feed


@dataclass(frozen=True, kw_only=True)
class StrategyPlan:
    """One strategy to run."""

    tenant: Tenant
    name: str
    """What its orders carry as their source."""
    plugin_name: str
    configuration: dict[str, Any]
    feeds: tuple[Feed, ...]
    path: str = field(compare=False)
    """Where its configuration stands in the agent's; to move it there restarts nothing."""

    def stream(self, feed: Feed) -> StreamName:
        """Return the name of the stream that a feed is."""
        return StreamName(PUBLIC if feed.is_public else self.tenant, feed.exchange, feed.action, feed.symbol)


def plans(config: MagicboxConfig) -> dict[str, StrategyPlan]:
    """Return the strategies to run by the name of their unit, `{tenant}.{name}`.

    Raises:
        ConfigInvalid: two strategies of a tenant have one name, or a subscription cannot be meant.
    """
    found: dict[str, StrategyPlan] = {}
    problems: list[Problem] = []
    for number, workplan in enumerate(config.workplans):
        where = f"$.workplans[{number}]"
        problems += _subscription_problems(workplan, where)
        for index, plan in enumerate(_plans_of(workplan, where)):
            key = f"{plan.tenant}.{plan.name}"
            if key in found:
                problems.append(
                    Problem(f"{where}.plugins[{index}].name", f"{key} is there already; give each a name of its own")
                )
            found[key] = plan
    if problems:
        raise ConfigInvalid(tuple(problems))
    return found


def _plans_of(workplan: MagicboxWorkplan, where: str) -> Iterator[StrategyPlan]:
    feeds = tuple(_feed(subscription) for subscription in workplan.subscriptions)
    for index, plugin in enumerate(workplan.plugins):
        yield StrategyPlan(
            tenant=workplan.tenant,
            name=plugin.name or plugin.plugin_name,
            plugin_name=plugin.plugin_name,
            configuration=plugin.configuration,
            feeds=feeds,
            path=f"{where}.plugins[{index}].configuration",
        )


def _feed(subscription: Subscription) -> Feed:
    action = Action(subscription.data_point)
    symbol = None if action in ACCOUNT_WIDE_ACTIONS else subscription.symbol
    return Feed(subscription.exchange_id, symbol, action, subscription.is_public)


def _subscription_problems(workplan: MagicboxWorkplan, where: str) -> Iterator[Problem]:
    seen: set[tuple[str, str | None, str]] = set()
    for index, subscription in enumerate(workplan.subscriptions):
        at = f"{where}.subscriptions[{index}]"
        exchange, symbol, action, is_public = _feed(subscription)
        if symbol is None and action not in ACCOUNT_WIDE_ACTIONS:
            yield Problem(f"{at}.symbol", f"says of which symbol; {action} needs one")
        if is_public and action in PRIVATE_ACTIONS:
            yield Problem(f"{at}.isPublic", f"{action} belongs to an account; it is never public")
        if (exchange, symbol, action) in seen:
            yield Problem(at, f"{exchange} {symbol or ''} {action} is subscribed to already, public or not")
        seen.add((exchange, symbol, action))
