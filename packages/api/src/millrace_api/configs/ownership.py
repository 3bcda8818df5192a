"""Whose configurations and agents are. Pure.

A configuration belongs to the tenants that it names. A tenant sees one that names no other tenant but PUBLIC, and
changes one that names it alone. A configuration of several tenants, or of none, belongs to the operator: an admin of
PUBLIC. An agent without a configuration belongs to the tenant that its id names after the first `-`, as in
`GATHERER-StrankaXY`; any other is the operator's. An agent that works for other tenants alone is not shown at all.
"""

from collections.abc import Collection
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from millrace_core.config import read_json, tenants_of
from millrace_core.names import PUBLIC, AgentId

if TYPE_CHECKING:
    # A worker that reads configurations needs no web framework.
    from millrace_api.access.principal import Principal

_MOST_KNOWN: Final = 10_000
_named: dict[bytes, frozenset[str]] = {}
"""The tenants that texts name, by the texts' digests."""


def decoded(text: bytes | str) -> Any:
    """Return a decoded configuration; None for a text with mistakes in its form, which only an operator may see."""
    value, mistakes = read_json(text)
    return None if mistakes else value


def named_in(text: bytes | None) -> frozenset[str]:
    """Return the tenants that a configuration's text names, none if there is no text; each text is read once."""
    if text is None:
        return frozenset()
    digest = blake2b(text).digest()
    if (known := _named.get(digest)) is None:
        known = _named[digest] = frozenset(tenants_of(decoded(text)))
        while len(_named) > _MOST_KNOWN:
            del _named[next(iter(_named))]
    return known


def may_see_of(principal: "Principal", named: Collection[str]) -> bool:
    """Tell whether a principal may see a configuration that names these tenants."""
    return principal.is_operator or (principal.tenant in named and {*named} <= {principal.tenant, PUBLIC})


def may_know_of(principal: "Principal", named: Collection[str]) -> bool:
    """Tell whether a principal may know of an agent: not of one whose configuration names other tenants alone."""
    return principal.is_operator or not named or not {principal.tenant, PUBLIC}.isdisjoint(named)


def may_change_of(principal: "Principal", named: Collection[str]) -> bool:
    """Tell whether a principal may put or replace a configuration that names these tenants."""
    return principal.is_operator or (principal.may("admin") and {*named} == {principal.tenant})


def may_take(principal: "Principal", agent: AgentId) -> bool:
    """Tell whether a principal may give an agent its first configuration."""
    return principal.is_operator or agent.partition("-")[2] == principal.tenant
