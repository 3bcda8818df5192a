"""Addresses that a tenant's configuration names: those of the public internet, and what the operator allows besides."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from millrace_core.errors import Problem

Network = IPv4Network | IPv6Network
_RESOLVE_S: Final = 3.0
_MOST: Final = 50
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network without IPv4 translates them (RFC 6052)."""


class NamedAddress(NamedTuple):
    """An address, and where a configuration names it."""

    path: str
    text: str


def added_addresses(new: Any, current: Any) -> list[NamedAddress]:
    """Return the addresses that a configuration names and the one in force does not."""
    known = {named.text for named in _addresses(current)}
    return [named for named in _addresses(new) if named.text not in known]


async def forbidden_addresses(added: Sequence[NamedAddress], allowed: Sequence[Network]) -> list[Problem]:
    """Return a problem for each address that is not public, unless it is allowed."""
    if len(added) > _MOST:
        return [Problem("$.exchanges", f"names more than {_MOST} new addresses")]
    found = await asyncio.gather(*(_mistake(named.text, allowed) for named in added))
    return [Problem(named.path, mistake) for named, mistake in zip(added, found, strict=True) if mistake is not None]


def _addresses(config: Any) -> Iterator[NamedAddress]:
    accounts = config.get("exchanges") if isinstance(config, dict) else None
    for tenant, exchanges in _items(accounts):
        for exchange, account in _items(exchanges):
            for field, value in _items(account):
                if field in ("urls", "options"):
                    path = f"$.exchanges.{tenant}.{exchange}.{field}"
                    yield from (named for named in _texts(value, path) if field == "urls" or "://" in named.text)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def _texts(value: Any, path: str) -> Iterator[NamedAddress]:
    if isinstance(value, str):
        yield NamedAddress(path, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


async def _mistake(text: str, allowed: Sequence[Network]) -> str | None:
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        host = None
    if not host:
        return "is no address"
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return "names a host that cannot be resolved"
    places = {_place(str(entry[4][0])) for entry in found}
    if all((place.is_global and not place.is_multicast) or any(place in each for each in allowed) for place in places):
        return None
    return "leads to this machine or a private network: only an operator may put it, or allow it (tenantNetworks)"


def _place(text: str) -> IPv4Address | IPv6Address:
    """Return where an address leads: of one in IPv6 that stands for an IPv4 address, that one."""
    place = ip_address(text.partition("%")[0])
    if isinstance(place, IPv4Address):
        return place
    translated = IPv4Address(int(place) & 0xFFFF_FFFF) if place in _TRANSLATED else None
    return place.ipv4_mapped or place.sixtofour or translated or place
