"""Who writes and reads which name of the protocol: the table of docs/protocol.md, "Names", as data. Pure.

Names are patterns as Redis takes them: `*` stands for any text. `{own}` stands for the ids of the service's own agents.
Braces around a tenant or an exchange are part of the name.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from millrace_core.names import (
    AGENTS_INDEX,
    BUDGET_STOPS,
    CONFIGS_INDEX,
    MAGICBOX,
    STRATEGY_INPUTS,
    TENANTS_INDEX,
    AgentId,
    ExchangeId,
    StreamName,
    Symbol,
    Tenant,
    agent_key,
    alerts_key,
    budget_key,
    budget_peers_key,
    budget_users_key,
    config_key,
    halt_key,
    intents_key,
    journals_index,
    lease_key,
    open_orders_key,
    order_key,
    orders_key,
    plugins_key,
    restart_channel,
    strategy_key,
    trader_actions,
    unreadable_requests,
)
from millrace_core.names import Action as ActionName

OWN: Final = "{own}"
"""Stands in a pattern for the id of the service's own agent."""

ANSWERED: Final = ("createOrder", "cancelOrder", "editOrder", "cancelAllOrders", "halt", "resume", "unknown")
"""The actions of answers; `unknown` is that of a request whose action does not exist."""


class Kind(StrEnum):
    """Type of a name in Redis."""

    STRING = "string"
    HASH = "hash"
    SET = "set"
    SORTED_SET = "sorted set"
    CHANNEL = "channel"
    JOURNAL = "channel and stream"
    REQUESTS = "channel and stream of requests"
    """A journal that scripts write and trim, so that nothing is trimmed unread."""
    STREAM = "stream"
    LEDGER = "ledger"
    """A hash that only the scripts of the executor that holds the tenant's lease change."""
    LIMIT = "limit"
    """A hash or sorted set that only the script of request limits changes."""


class Access(NamedTuple):
    """Access to the names of a pattern. Who writes a name also reads it."""

    pattern: str
    kind: Kind
    writers: frozenset[str]
    readers: frozenset[str]
    consumers: frozenset[str] = frozenset()
    """Services that take entries from a journal as a consumer group."""


AGENTS: Final = frozenset({"gatherer", "magicbox", "executor", "dbsync", "api", "alerts"})
"""The services that use Redis. The console and the simulator do not."""

_ALL = "*"
_TENANT, _EXCHANGE, _SYMBOL = Tenant(_ALL), ExchangeId(_ALL), Symbol(_ALL)
_AGENT, _OWN_AGENT = AgentId(_ALL), AgentId(OWN)
_STREAM_READERS = frozenset({"magicbox", "dbsync", "api", "alerts"})
_WATCHED_READERS = _STREAM_READERS | {"executor"}
_ANSWER_READERS = _STREAM_READERS | {"gatherer"}
_LIMITED = frozenset({"gatherer", "executor"})
_WRITERS_OF_JOURNALS = frozenset({"gatherer", "executor", "magicbox", "api"})
_NOBODY: frozenset[str] = frozenset()


def _stream(action: str) -> str:
    # The star after the action also stands for the symbol, which streams of a whole account lack.
    return str(StreamName(_TENANT, _EXCHANGE, ActionName(f"{action}*")))


def _snapshot(action: str) -> str:
    return StreamName(_TENANT, _EXCHANGE, ActionName(f"{action}*")).snapshot


def _strategy_inputs() -> str:
    return str(StreamName(_TENANT, MAGICBOX, STRATEGY_INPUTS, _SYMBOL))


def _access(
    pattern: str,
    kind: Kind,
    writers: frozenset[str],
    readers: frozenset[str] = _NOBODY,
    consumers: frozenset[str] = _NOBODY,
) -> Access:
    return Access(pattern, kind, writers, readers, consumers)


NAMES: Final = (
    _access(_stream("watch"), Kind.JOURNAL, frozenset({"gatherer"}), _WATCHED_READERS),
    *(_access(_stream(action), Kind.JOURNAL, frozenset({"executor"}), _ANSWER_READERS) for action in ANSWERED),
    _access(_snapshot("watch"), Kind.JOURNAL, frozenset({"gatherer"}), _WATCHED_READERS),
    _access(
        trader_actions(_TENANT),
        Kind.REQUESTS,
        frozenset({"magicbox", "api", "executor"}),
        frozenset({"dbsync"}),
        consumers=frozenset({"executor"}),
    ),
    _access(_strategy_inputs(), Kind.JOURNAL, frozenset({"magicbox"}), frozenset({"dbsync", "api"})),
    _access(unreadable_requests(_TENANT), Kind.STREAM, frozenset({"executor"})),
    _access(order_key(_TENANT, _ALL), Kind.HASH, _LIMITED, frozenset({"magicbox", "api"})),
    _access(orders_key(_TENANT, _EXCHANGE, _SYMBOL), Kind.SORTED_SET, _LIMITED, frozenset({"magicbox", "api"})),
    _access(open_orders_key(_TENANT, _EXCHANGE, _SYMBOL), Kind.SET, _LIMITED, frozenset({"magicbox", "api"})),
    _access(budget_key(_ALL, _ALL, _ALL), Kind.LIMIT, _LIMITED),
    _access(budget_users_key(budget_key(_ALL, _ALL, _ALL)), Kind.LIMIT, _LIMITED),
    _access(budget_peers_key(_ALL), Kind.LIMIT, _LIMITED),
    _access(BUDGET_STOPS, Kind.CHANNEL, _LIMITED),
    _access(intents_key(_TENANT, _EXCHANGE), Kind.LEDGER, frozenset({"executor"}), frozenset({"api"})),
    _access(lease_key(_TENANT), Kind.LEDGER, frozenset({"executor"})),
    _access(halt_key(_TENANT), Kind.HASH, frozenset({"executor", "api"}), frozenset({"alerts"})),
    _access(config_key(_OWN_AGENT), Kind.STRING, _NOBODY, AGENTS),
    _access(config_key(_AGENT), Kind.STRING, frozenset({"api"}), frozenset({"dbsync"})),
    _access(agent_key(_OWN_AGENT), Kind.STRING, AGENTS),
    _access(agent_key(_AGENT), Kind.STRING, _NOBODY, frozenset({"magicbox", "dbsync", "api", "alerts"})),
    _access(plugins_key(_OWN_AGENT), Kind.STRING, frozenset({"magicbox"})),
    _access(plugins_key(_AGENT), Kind.STRING, _NOBODY, frozenset({"api"})),
    _access(strategy_key(_TENANT, _ALL), Kind.HASH, frozenset({"magicbox"}), frozenset({"api"})),
    _access(alerts_key(_OWN_AGENT), Kind.STRING, frozenset({"alerts"})),
    _access(restart_channel(_OWN_AGENT), Kind.CHANNEL, _NOBODY, AGENTS),
    _access(restart_channel(_AGENT), Kind.CHANNEL, frozenset({"api"})),
    _access(journals_index(_TENANT), Kind.SORTED_SET, _WRITERS_OF_JOURNALS, frozenset({"dbsync", "alerts"})),
    _access(TENANTS_INDEX, Kind.SET, _WRITERS_OF_JOURNALS, frozenset({"dbsync", "alerts"})),
    _access(AGENTS_INDEX, Kind.SET, AGENTS),
    _access(CONFIGS_INDEX, Kind.SET, AGENTS),
)
"""Every name, the busiest first."""


def written_by(service: str) -> Iterator[Access]:
    """Return the names that a service writes."""
    return (access for access in NAMES if service in access.writers)


def consumed_by(service: str) -> Iterator[Access]:
    """Return the journals from which a service takes entries as a consumer group."""
    return (access for access in NAMES if service in access.consumers)


def read_by(service: str) -> Iterator[Access]:
    """Return the names that a service reads, with those that it writes."""
    return (access for access in NAMES if service in access.readers | access.writers)
