"""Every Redis name of the protocol, built and parsed in this one place. See docs/protocol.md, "Names"."""

import re
from typing import NamedTuple, NewType

from millrace_core.errors import InvalidName

Tenant = NewType("Tenant", str)
"""A client whose data and orders are kept apart from all others'; made by `tenant`."""
ExchangeId = NewType("ExchangeId", str)
"""The ccxt id of an exchange, such as `binance`."""
Action = NewType("Action", str)
"""A ccxt unified method in camelCase, such as `watchOrderBook` or `createOrder`."""
Symbol = NewType("Symbol", str)
"""A ccxt unified symbol, such as `KCS/USDT` or `BTC/USDT:USDT`; it may hold dots."""
AgentId = NewType("AgentId", str)
"""Names one running agent and so its configuration key."""

PUBLIC = Tenant("PUBLIC")
"""The tenant of feeds that all tenants share."""
MAGICBOX = ExchangeId("magicbox")
"""Stands for the exchange in the name of a strategy's inputs."""
STRATEGY_INPUTS = Action("strategyInputs")
"""What a strategy took in, in order: see `millrace_core.strategy_inputs`."""
UNKNOWN_EXCHANGE = ExchangeId("unknown")
"""Stands in the name of a stream of answers for an exchange on which the tenant has no account."""

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED_TENANTS = frozenset({"config", "snapshot"})
_EXCHANGE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ACTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SYMBOL = re.compile(r"[^\s*?\[\]\ufffd]{1,64}")
"""Neither space nor glob characters, nor what stands for bytes that are no text."""
_STREAM = "stream."
_SNAPSHOT = "stream.snapshot."


def tenant(text: str) -> Tenant:
    """Check that a text may name a tenant.

    Raises:
        InvalidName: it is longer than 64, holds other than letters, digits, `_`, `-`, or is reserved.
    """
    if not _TENANT.fullmatch(text) or text in _RESERVED_TENANTS:
        raise InvalidName(text, "a tenant: 1 to 64 of A-Z a-z 0-9 _ -, and neither 'config' nor 'snapshot'")
    return Tenant(text)


def tenant_or_none(text: str) -> Tenant | None:
    """Return a text as the name of a tenant; None if it does not name one."""
    try:
        return tenant(text)
    except InvalidName:
        return None


def agent_id(text: str) -> AgentId:
    """Check that a text may name an agent.

    Raises:
        InvalidName: it is longer than 64 or holds other than letters, digits, `_`, `-`.
    """
    if not _TENANT.fullmatch(text):
        raise InvalidName(text, "an agent id: 1 to 64 of A-Z a-z 0-9 _ -")
    return AgentId(text)


def is_exchange(text: str) -> bool:
    """Tell whether a text has the form of an exchange's ccxt id."""
    return _EXCHANGE.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Tell whether a text has the form of a ccxt symbol that may stand in a stream's name.

    Every character is printable: no database has to store a NUL, and two names that look the same are the same.
    """
    return _SYMBOL.fullmatch(text) is not None and text.isprintable()


def symbol(text: str) -> Symbol:
    """Check that a text may be a symbol.

    Raises:
        InvalidName: it is longer than 64, or holds a space, a glob character or one that cannot be printed.
    """
    if not is_symbol(text):
        raise InvalidName(text[:100], "a symbol: 1 to 64 printable characters without spaces, *, ?, [ and ]")
    return Symbol(text)


class StreamName(NamedTuple):
    """Name of a stream of deltas or answers: both the journal's key and the live channel."""

    tenant: Tenant
    exchange: ExchangeId
    action: Action
    symbol: Symbol | None = None
    """None for what concerns the whole account, such as balances."""

    def __str__(self) -> str:
        return _STREAM + self._tail()

    @property
    def snapshot(self) -> str:
        """The name on which this stream's snapshots travel."""
        return _SNAPSHOT + self._tail()

    @property
    def has_snapshots(self) -> bool:
        """Tell whether it has a stream of snapshots: watched data has, answers to requests have not."""
        return self.action.startswith("watch")

    @property
    def has_answers(self) -> bool:
        """Tell whether it carries answers to requests."""
        return not self.has_snapshots and self.action != STRATEGY_INPUTS

    @property
    def answer_places(self) -> tuple["StreamName", ...]:
        """Where a request of this exchange, action and symbol may be answered.

        What no account trades makes no streams: a symbol that the exchange does not list is left out, and an exchange
        without an account is `unknown`.
        """
        without_symbol = self._replace(symbol=None)
        places = (self, without_symbol, without_symbol._replace(exchange=UNKNOWN_EXCHANGE))
        return tuple(dict.fromkeys(places))

    def _tail(self) -> str:
        parts = self if self.symbol is not None else self[:3]
        return ".".join(part for part in parts if part is not None)

    @classmethod
    def parse(cls, name: str) -> "StreamName":
        """Read the name of a stream, or of its snapshots, back into its parts.

        Raises:
            InvalidName: it is not `stream.[snapshot.]{tenant}.{exchange}.{action}[.{symbol}]`.
        """
        prefix = _SNAPSHOT if is_snapshot(name) else _STREAM
        parts = name[len(prefix) :].split(".", 3) if name.startswith(prefix) else []
        if len(parts) < 3 or not is_exchange(parts[1]) or not _ACTION.fullmatch(parts[2]):
            raise InvalidName(name[:200], "a stream name: stream.{tenant}.{exchange}.{action}[.{symbol}]")
        of_market = symbol(parts[3]) if len(parts) == 4 else None
        return cls(tenant(parts[0]), ExchangeId(parts[1]), Action(parts[2]), of_market)


def strategy_inputs(of: Tenant, strategy: str) -> StreamName:
    """Return the name of the stream of what a strategy takes in.

    Raises:
        InvalidName: the strategy's name has no form that may stand at the end of a stream's name.
    """
    return StreamName(of, MAGICBOX, STRATEGY_INPUTS, symbol(strategy))


def is_snapshot(name: str) -> bool:
    """Tell whether snapshots travel under this name."""
    return name.startswith(_SNAPSHOT)


def config_key(agent: AgentId) -> str:
    """Return the key of an agent's configuration."""
    return f"{_STREAM}config.{agent}"


def agent_key(agent: AgentId) -> str:
    """Return the key of an agent's heartbeat."""
    return f"agent.{agent}"


def plugins_key(agent: AgentId) -> str:
    """Return the key of the strategies that a magicbox can run."""
    return f"plugins.{agent}"


def alerts_key(agent: AgentId) -> str:
    """Return the key of what an agent of alerts has to tell, and has told."""
    return f"alerts.{agent}"


def strategy_key(of: Tenant, strategy: str) -> str:
    """Return the key of what a strategy keeps over restarts, and shows of itself."""
    return f"strategy.{_tag(of)}.{strategy}"


def restart_channel(agent: AgentId) -> str:
    """Return the channel on which an agent is asked to run a unit afresh."""
    return f"restart.{agent}"


def trader_actions(of: Tenant) -> str:
    """Return the name on which a tenant's requests to trade travel."""
    return f"{of}.traderActions"


def unreadable_requests(of: Tenant) -> str:
    """Return the key of the journal of a tenant's requests that could not be read or handled."""
    return f"{trader_actions(of)}.unreadable"


TENANTS_INDEX = "index.tenants"
"""The key of the set of tenants that have journals."""
AGENTS_INDEX = "index.agents"
"""The key of the set of ids of agents that have sent a heartbeat."""
CONFIGS_INDEX = "index.configs"
"""The key of the set of ids of agents that have a configuration."""


def journals_index(of: Tenant) -> str:
    """Return the key of the sorted set of a tenant's journals, by the time in ms until which each is kept."""
    return f"index.journals.{of}"


def order_key(of: Tenant, order_id: str) -> str:
    """Return the key of the hash that holds one order."""
    return f"order.{_tag(of)}.{order_id}"


def full_order_key(of: Tenant, exchange: str, symbol: str | None, order_id: str) -> str:
    """Return the key of the hash that holds an order whose id alone already names another one.

    Ids are unique on one exchange only, on some (Binance) in one symbol only.
    """
    return order_key(of, f"{exchange}:{symbol or ''}:{order_id}")


def orders_key(of: Tenant, exchange: ExchangeId, symbol: Symbol) -> str:
    """Return the key of the sorted set of a symbol's recent order ids."""
    return f"orders.{_tag(of)}.{exchange}.{symbol}"


def open_orders_key(of: Tenant, exchange: ExchangeId, symbol: Symbol) -> str:
    """Return the key of the set of a symbol's open order ids."""
    return f"openOrders.{_tag(of)}.{exchange}.{symbol}"


def intents_key(of: Tenant, exchange: ExchangeId) -> str:
    """Return the key of the executor's intents for one account."""
    return f"intents.{_tag(of)}.{exchange}"


def lease_key(of: Tenant) -> str:
    """Return the key of the lease that lets one executor at a time act for a tenant."""
    return f"lease.{_tag(of)}"


def halt_key(of: Tenant) -> str:
    """Return the key of what is halted for a tenant."""
    return f"halt.{_tag(of)}"


BUDGET_STOPS = "budget.stops"
"""The channel on which a pause that an exchange asked for reaches every process at once."""


def budget_key(exchange: str, owner: str, limit: str) -> str:
    """Return the key of what was used of one of an exchange's limits, by an address or an account."""
    return f"budget.{{{exchange}}}.{owner}.{limit}"


def budget_users_key(budget: str) -> str:
    """Return the key of the sorted set of those that used a limit."""
    return f"{budget}.users"


def budget_peers_key(exchange: str) -> str:
    """Return the key of the sorted set of processes that send requests to an exchange."""
    return f"budget.{{{exchange}}}.peers"


def egress(text: str) -> str:
    """Check that a text may name the address from which requests leave.

    Raises:
        InvalidName: it is longer than 64 or holds other than letters, digits, `_`, `-`.
    """
    if not _TENANT.fullmatch(text):
        raise InvalidName(text, "an egress: 1 to 64 of A-Z a-z 0-9 _ -")
    return text


def _tag(of: Tenant) -> str:
    """Return a tenant as a hash tag: a Redis cluster keeps all keys with the same tag in one slot."""
    return f"{{{of}}}"


def keyspace_channel(key: str) -> str:
    """Return the pattern of the channel on which the server announces changes of a key, in whatever database.

    Keys may hold glob characters only where names allow them; agents' keys never do.
    """
    return f"__keyspace@*__:{key}"
