"""Plain secrets of configurations: encrypted before a configuration is written, and never kept in its history.

Secrets are the fields of an account that grant access to it, and the addresses of receivers.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec

from millrace_core.json_problems import UNREADABLE
from millrace_core.names import tenant_or_none
from millrace_service.encryption import encrypt, is_encrypted
from millrace_service.redaction import HIDDEN, clean_field, clean_text

_SEALED: Final = frozenset({"apiKey", "secret", "password", "uid"})
"""The fields of an account that are encrypted."""

_Seal = Callable[[str, str], str]
"""Returns a secret of a tenant as it is to be kept."""


def sealed(config: Any, keys: bytes) -> Any:
    """Return a configuration with every plain secret encrypted for its tenant; what has another form stays."""

    def seal(name: str, text: str) -> str:
        # What is no tenant's is no configuration that an agent takes.
        return text if (tenant := tenant_or_none(name)) is None else encrypt(tenant, text, keys)

    return _with_secrets(config, seal)


def for_history(text: bytes, keys: bytes | None) -> str:
    """Return a configuration's text as it may be kept for years: no secret in it can be read.

    Plain secrets are encrypted; without a key they are `***`, as passwords in an account's addresses and options always
    are. A text that is no JSON has `***` after names of secrets.
    """
    shown = text.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        config = msgspec.json.decode(text)
    except UNREADABLE:
        return clean_text(shown)
    kept = _with_secrets(config, lambda *_: HIDDEN) if keys is None else sealed(config, keys)
    kept = _with_secrets(kept, lambda _, text: text, others=clean_field)
    return shown if kept == config else json.dumps(kept, indent=2, ensure_ascii=False)


def _with_secrets(config: Any, seal: _Seal, others: Callable[[str, Any], Any] = lambda _, value: value) -> Any:
    if not isinstance(config, dict):
        return config
    written = dict(config)
    for tenant, exchanges in _items(config.get("exchanges")):
        accounts = {exchange: _account(tenant, held, seal, others) for exchange, held in _items(exchanges)}
        if accounts:
            written["exchanges"] = written["exchanges"] | {tenant: accounts}
    for tenant, addresses in _items(config.get("receivers")):
        sealed_addresses = {name: _text(tenant, address, seal) for name, address in _items(addresses)}
        if sealed_addresses:
            written["receivers"] = written["receivers"] | {tenant: sealed_addresses}
    return written


def _account(tenant: str, held: Any, seal: _Seal, others: Callable[[str, Any], Any]) -> Any:
    if not isinstance(held, dict):
        return held
    return {
        name: _text(tenant, value, seal) if name in _SEALED else others(name, value) for name, value in held.items()
    }


def _text(tenant: str, value: Any, seal: _Seal) -> Any:
    return seal(tenant, value) if isinstance(value, str) and value and not is_encrypted(value) else value


def _items(section: Any) -> list[tuple[str, Any]]:
    return list(section.items()) if isinstance(section, dict) else []
