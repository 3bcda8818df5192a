"""Plain secrets of configurations: encrypted before a configuration is written, and never kept in its history.

Secrets are the fields of an account that grant access to it, and the addresses of receivers.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from millrace_core.config import read_json
from millrace_core.config.reading import LARGEST_CONFIG
from millrace_core.names import tenant_or_none
from millrace_service.encryption import encrypt, is_encrypted
from millrace_service.redaction import HIDDEN, clean_field, clean_text

_SEALED: Final = frozenset({"apiKey", "secret", "password", "uid"})
"""The fields of an account that are encrypted."""
_SHOWN_OF_LARGE: Final = 20_000
"""Of a text that is larger than any configuration, this much is shown and kept."""
_SECTIONS: Final = re.compile(r"(\"(?:receivers|headers)\"\s*:\s*[{\[])(?:[^{}]|\{[^{}]*\}?)*")
"""In a text that cannot be read, the fields of which every text is secret."""

_Seal = Callable[[str, Any], Any]
"""Returns a tenant's secret as it is to be kept; what is no text cannot be used as a secret."""


def sealed(config: Any, keys: bytes) -> Any:
    """Return a configuration with every plain secret encrypted for its tenant; what has another form stays."""

    def seal(name: str, value: Any) -> Any:
        # What is no tenant's is no configuration that an agent takes.
        tenant = tenant_or_none(name)
        return encrypt(tenant, value, keys) if tenant is not None and isinstance(value, str) else value

    return _with_secrets(config, seal, lambda _, value: value)


def for_history(text: bytes, keys: bytes | None) -> str:
    """Return a configuration's text as it may be kept for years: no secret of an account or receiver can be read in it.

    Plain secrets are encrypted; without a key they are `***`, as passwords in an account's addresses and options always
    are, and what no agent would take for a secret. A text with mistakes in its form has `***` after names of secrets.
    """
    config, mistakes = read_json(text)
    if mistakes:
        return shown(text)
    kept = config if keys is None else sealed(config, keys)
    kept = _with_secrets(kept, lambda *_: HIDDEN, clean_field)
    if kept == config:
        return text.decode()
    return json.dumps(kept, indent=2, ensure_ascii=False)


def shown(text: bytes | str) -> str:
    """Return a configuration's text with mistakes in its form as it may be shown and kept."""
    cut = text if len(text) <= LARGEST_CONFIG else text[:_SHOWN_OF_LARGE]
    plain = cut if isinstance(cut, str) else cut.decode(errors="replace")
    plain = plain.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return _SECTIONS.sub(rf"\1{HIDDEN}", clean_text(plain))


def _with_secrets(config: dict[str, Any], seal: _Seal, others: Callable[[str, Any], Any]) -> dict[str, Any]:
    written = dict(config)
    if exchanges := config.get("exchanges"):
        written["exchanges"] = _by_tenant(exchanges, lambda tenant, held: _accounts(tenant, held, seal, others), others)
    if receivers := config.get("receivers"):
        written["receivers"] = _by_tenant(receivers, lambda tenant, held: _addresses(tenant, held, seal), seal)
    return written


def _by_tenant(section: Any, each: Callable[[str, Any], Any], others: Callable[[str, Any], Any]) -> Any:
    if not isinstance(section, dict):
        return others("", section)
    return {tenant: each(tenant, held) for tenant, held in section.items()}


def _accounts(tenant: str, exchanges: Any, seal: _Seal, others: Callable[[str, Any], Any]) -> Any:
    if not isinstance(exchanges, dict):
        return others("", exchanges)
    return {exchange: _account(tenant, held, seal, others) for exchange, held in exchanges.items()}


def _account(tenant: str, held: Any, seal: _Seal, others: Callable[[str, Any], Any]) -> Any:
    if not isinstance(held, dict):
        return others("", held)
    return {
        name: _secret(tenant, value, seal) if name in _SEALED else others(name, value) for name, value in held.items()
    }


def _addresses(tenant: str, held: Any, seal: _Seal) -> Any:
    if not isinstance(held, dict):
        return _secret(tenant, held, seal)
    return {name: _secret(tenant, address, seal) for name, address in held.items()}


def _secret(tenant: str, value: Any, seal: _Seal) -> Any:
    is_plain = value and not (isinstance(value, str) and is_encrypted(value))
    return seal(tenant, value) if is_plain else value
