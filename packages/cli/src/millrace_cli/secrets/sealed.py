"""Finds the secrets in a configuration, and opens the encrypted ones. Pure."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from millrace_core.json_problems import UNREADABLE
from millrace_core.names import PUBLIC, Tenant, tenant_or_none
from millrace_service.encryption import decrypt, is_encrypted
from millrace_service.errors import SecretUnreadable

_PLAIN: Final = ("secret", "password")
"""Fields of an account that grant access to it; an API key alone grants none."""


class Sealed(NamedTuple):
    """One encrypted secret of a configuration."""

    path: str
    text: str
    tenants: tuple[Tenant, ...]
    """The tenants that it may belong to: those that the configuration names near it, nearest first, and PUBLIC."""


def sealed_texts(config: bytes) -> list[Sealed]:
    """Return the encrypted secrets of a configuration's text; none of one that is not JSON."""
    try:
        value = msgspec.json.decode(config)
    except UNREADABLE:
        return []
    return list(_sealed(value, "$", (PUBLIC,)))


def open_text(sealed: Sealed, keys: bytes) -> tuple[Tenant, str] | None:
    """Return the tenant of a secret and the secret; None if no key opens it."""
    for tenant in sealed.tenants:
        try:
            return tenant, decrypt(tenant, sealed.text, keys)
        except SecretUnreadable:
            continue
    return None


def plain_paths(config: bytes) -> list[str]:
    """Return the paths of accounts' secrets, and of receivers' addresses, that are in plain text."""
    try:
        value = msgspec.json.decode(config, type=dict[str, Any])
        accounts = msgspec.convert(value.get("exchanges", {}), dict[str, dict[str, dict[str, Any]]])
        receivers = msgspec.convert(value.get("receivers", {}), dict[str, dict[str, str]])
    except UNREADABLE:
        return []
    found = [
        f"$.receivers.{tenant}.{name}"
        for tenant, addresses in receivers.items()
        for name, address in addresses.items()
        if not is_encrypted(address)
    ]
    return found + [
        f"$.exchanges.{tenant}.{exchange}.{name}"
        for tenant, exchanges in accounts.items()
        for exchange, account in exchanges.items()
        for name in _PLAIN
        if (text := account.get(name)) and not is_encrypted(str(text))
    ]


def _sealed(value: Any, path: str, tenants: tuple[Tenant, ...]) -> Iterator[Sealed]:
    match value:
        case str() if is_encrypted(value):
            yield Sealed(path, value, tuple(dict.fromkeys(tenants)))
        case list():
            for index, item in enumerate(value):
                yield from _sealed(item, f"{path}[{index}]", tenants)
        case dict():
            named = [str(value[name]) for name in ("tenant", "tenantId") if name in value]
            own = tuple(tenant for name in named if (tenant := tenant_or_none(name)) is not None)
            for key, item in value.items():
                # A section may be keyed by tenant, as accounts are.
                of_key = () if (tenant := tenant_or_none(key)) is None else (tenant,)
                yield from _sealed(item, f"{path}.{key}", (*of_key, *own, *tenants))
