"""Secrets of accounts and addresses of receivers are encrypted before they are written, when the API has the key."""

from collections.abc import Container
from typing import Any

from millrace_core.names import Tenant
from millrace_service.encryption import encrypt, is_encrypted

SEALED = ("apiKey", "secret", "password")
"""The fields of an account that are encrypted."""


def sealed(config: Any, key: bytes) -> Any:
    """Return a valid configuration with every plain secret encrypted for its tenant."""
    accounts, receivers = config.get("exchanges"), config.get("receivers")
    written = dict(config)
    if isinstance(accounts, dict):
        written["exchanges"] = {
            tenant: {
                exchange: _sealed_fields(Tenant(tenant), held, SEALED, key) for exchange, held in exchanges.items()
            }
            for tenant, exchanges in accounts.items()
        }
    if isinstance(receivers, dict):
        written["receivers"] = {
            tenant: _sealed_fields(Tenant(tenant), addresses, addresses, key) for tenant, addresses in receivers.items()
        }
    return written


def _sealed_fields(tenant: Tenant, fields: dict[str, Any], secret: Container[str], key: bytes) -> dict[str, Any]:
    return {
        name: encrypt(tenant, value, key)
        if name in secret and isinstance(value, str) and value and not is_encrypted(value)
        else value
        for name, value in fields.items()
    }
