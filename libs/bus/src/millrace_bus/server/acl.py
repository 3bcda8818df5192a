"""The ACL file of a Redis server: a user for each service, with the access that the protocol's table names. Pure.

A service reads all its names by one set of rules, since one command may name many of them. The names that it writes
have rules of their own (a selector for each type in Redis), with the commands that write this type and no others.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from millrace_core.access import AGENTS, OWN, Access, Kind, consumed_by, read_by, written_by
from millrace_core.names import AgentId, config_key, keyspace_channel

OPERATOR: Final = "operator"
"""The user of people, of the command line and of back-ups: it may do everything."""
USERS: Final = (*sorted(AGENTS), OPERATOR)

_CONNECTION: Final = (
    "auth hello ping select client|setname client|setinfo multi exec discard watch unwatch psubscribe punsubscribe"
    " type pttl"
)
_READING: Final = {
    Kind.STRING: "get mget getrange strlen",
    Kind.HASH: "hgetall hget hlen hscan",
    Kind.SET: "smembers scard sscan",
    Kind.SORTED_SET: "zrevrange zrangebyscore zcard",
    Kind.CHANNEL: "subscribe unsubscribe",
    Kind.JOURNAL: "subscribe unsubscribe xread xrange xrevrange xlen xinfo|stream",
    Kind.REQUESTS: "subscribe unsubscribe xread xrange xrevrange xlen xinfo|stream",
    Kind.STREAM: "xread xrange xrevrange xlen",
    Kind.LEDGER: "hgetall hget hlen hscan",
    Kind.LIMIT: "",
}
_WRITING: Final = {
    Kind.STRING: "set del",
    Kind.HASH: "hset hsetnx hdel expire",
    Kind.SET: "sadd srem",
    Kind.SORTED_SET: "zadd zremrangebyscore zremrangebyrank",
    Kind.CHANNEL: "publish",
    Kind.JOURNAL: "xadd publish expire evalsha script|load",
    Kind.REQUESTS: "xadd publish expire evalsha script|load xlen xtrim xinfo|groups xpending",
    Kind.STREAM: "xadd",
    Kind.LEDGER: "evalsha script|load time hget hmget hset hsetnx hdel exists pexpire persist",
    Kind.LIMIT: "evalsha script|load time hdel hmget hincrby hset zadd zcard zrange zrangebyscore zremrangebyscore"
    " pexpire",
}
_CONSUMING: Final = (
    "xreadgroup xack xautoclaim xgroup|create xgroup|delconsumer xinfo|consumers xpending evalsha script|load"
)
_HAS_CHANNEL: Final = (Kind.CHANNEL, Kind.JOURNAL, Kind.REQUESTS)


def acl_file(passwords: Mapping[str, str], agents: Mapping[str, Collection[AgentId]]) -> str:
    """Return the lines of an ACL file; `passwords` holds what stands for each user's password (see `hashed`).

    `agents` holds the ids under which each service runs. The user `default` is off, so that nobody gets in without a
    name.
    """
    lines = ["user default reset off"]
    for user in USERS:
        rules = ["allkeys allchannels +@all"] if user == OPERATOR else _rules(user, agents[user])
        lines.append(" ".join([f"user {user} reset on {passwords[user]}", *rules]))
    return "\n".join(lines) + "\n"


def hashed(password: str) -> str:
    """Return a password as an ACL file holds it: `#` and its SHA-256."""
    # Redis takes no other digest. Passwords are to be long and random: `make env` makes them so.
    return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def _rules(service: str, agents: Collection[AgentId]) -> list[str]:
    read = [*read_by(service)]
    rules = [
        *_commands(_CONNECTION, *(_READING[access.kind] for access in read)),
        *(f"%R~{name}" for access in read if access.kind != Kind.CHANNEL for name in _names(access, agents)),
        *(f"&{name}" for access in read if access.kind in _HAS_CHANNEL for name in _names(access, agents)),
        *(f"&{keyspace_channel(key)}" for key in _followed_configs(service, agents)),
    ]
    written = [*written_by(service)]
    kinds = dict.fromkeys(access.kind for access in written)
    selectors = [_selector(kind, [each for each in written if each.kind == kind], agents) for kind in kinds]
    return [*rules, *selectors, *(_consuming(access, agents) for access in consumed_by(service))]


def _selector(kind: Kind, written: Iterable[Access], agents: Collection[AgentId]) -> str:
    names = [name for access in written for name in _names(access, agents)]
    keys = [f"~{name}" for name in names if kind != Kind.CHANNEL]
    channels = [f"&{name}" for name in names if kind in _HAS_CHANNEL]
    return f"({' '.join([*_commands(_WRITING[kind]), *keys, *channels])})"


def _consuming(access: Access, agents: Collection[AgentId]) -> str:
    return f"({' '.join([*_commands(_CONSUMING), *(f'~{name}' for name in _names(access, agents))])})"


def _commands(*texts: str) -> list[str]:
    return [f"+{command}" for command in dict.fromkeys(" ".join(texts).split())]


def _names(access: Access, agents: Iterable[AgentId]) -> Iterable[str]:
    if OWN not in access.pattern:
        return (access.pattern,)
    return (access.pattern.replace(OWN, agent) for agent in agents)


def _followed_configs(service: str, agents: Collection[AgentId]) -> Iterable[str]:
    """Return the keys, or patterns of keys, whose changes a service follows: a pattern is allowed as it is written."""
    everyone = [config_key(AgentId("*"))] if service == "dbsync" else []
    return [*everyone, *map(config_key, agents)]
