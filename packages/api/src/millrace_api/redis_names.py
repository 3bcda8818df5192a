"""The names of the protocol in Redis, and whose they are. Names of other programs are neither listed nor read. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from millrace_api.access.principal import Principal
from millrace_core.actions import MARKET_ACTIONS
from millrace_core.errors import InvalidName
from millrace_core.names import (
    AGENTS_INDEX,
    CONFIGS_INDEX,
    PUBLIC,
    TENANTS_INDEX,
    AgentId,
    StreamName,
    Tenant,
    agent_id,
    agent_key,
    config_key,
    halt_key,
    intents_key,
    journals_index,
    open_orders_key,
    orders_key,
    plugins_key,
    strategy_key,
    tenant_or_none,
    trader_actions,
)

INDEXES = (AGENTS_INDEX, CONFIGS_INDEX, TENANTS_INDEX)
_OF_TENANT = re.compile(r"(?:order|orders|openOrders|intents|halt|strategy)\.\{([^{}]+)\}(?:\..+)?", re.DOTALL)
_AGENTS = (
    (config_key(AgentId("")), "config"),
    (agent_key(AgentId("")), "agent"),
    (plugins_key(AgentId("")), "plugins"),
)
_JOURNALS, _ACTIONS = journals_index(Tenant("")), trader_actions(Tenant(""))


class Owner(NamedTuple):
    """Whose a name is: a tenant's, an agent's (with what it holds), or the platform's, where both are None."""

    tenant: Tenant | None = None
    agent: AgentId | None = None
    content: str = ""
    """`config`, `agent` (a heartbeat) or `plugins` of an agent; `market` of a market feed."""


def owner(name: str) -> Owner | None:
    """Return whose a name is; None if it is not a name of the protocol."""
    if name in INDEXES:
        return Owner()
    for prefix, content in _AGENTS:
        if name.startswith(prefix):
            return _of_agent(name.removeprefix(prefix), content)
    if name.startswith(_JOURNALS):
        return _of_tenant(name.removeprefix(_JOURNALS))
    if name.endswith(_ACTIONS) and not name.startswith("stream."):
        return _of_tenant(name.removesuffix(_ACTIONS))
    if match := _OF_TENANT.fullmatch(name):
        return _of_tenant(match[1])
    try:
        stream = StreamName.parse(name)
    except InvalidName:
        return None
    return Owner(stream.tenant, content="market" if stream.action in MARKET_ACTIONS else "")


def may_list(caller: Principal, found: Owner) -> bool:
    """Tell whether a caller may know that a name exists: its own, PUBLIC's market data, an agent's; an operator all."""
    if caller.is_operator or found.tenant == caller.tenant:
        return True
    if found.tenant is not None:
        return found.tenant == PUBLIC and found.content == "market"
    return found.agent is not None


def may_read(caller: Principal, found: Owner) -> bool:
    """Tell whether a caller may read what a name holds; an operator does not read what is a tenant's."""
    return may_list(caller, found) and (found.tenant is None or found.tenant in (caller.tenant, PUBLIC))


def names_of_tenant(tenant: Tenant, streams: Iterable[StreamName]) -> Iterator[str]:
    """Yield the names that belong to a tenant with these streams; some may not exist."""
    yield from (trader_actions(tenant), halt_key(tenant), journals_index(tenant))
    accounts: dict[str, None] = {}
    for stream in streams:
        yield str(stream)
        if stream.has_snapshots:
            yield stream.snapshot
        if stream.symbol is not None and stream.action in ("watchOrders", "createOrder"):
            accounts[orders_key(tenant, stream.exchange, stream.symbol)] = None
            accounts[open_orders_key(tenant, stream.exchange, stream.symbol)] = None
            accounts[intents_key(tenant, stream.exchange)] = None
    yield from accounts


def names_of_agent(agent: AgentId) -> Iterator[str]:
    """Yield the names that belong to an agent; some may not exist."""
    yield from (config_key(agent), agent_key(agent), plugins_key(agent))


def names_of_strategies(units: Iterable[str]) -> Iterator[str]:
    """Yield the names of the records of strategies, by the names of their units; some may not exist."""
    for unit in units:
        of, _, strategy = unit.partition(".")
        if (found := tenant_or_none(of)) is not None:
            yield strategy_key(found, strategy)


def _of_tenant(text: str) -> Owner | None:
    found = tenant_or_none(text)
    return None if found is None else Owner(found)


def _of_agent(text: str, content: str) -> Owner | None:
    try:
        return Owner(agent=agent_id(text), content=content)
    except InvalidName:
        return None
