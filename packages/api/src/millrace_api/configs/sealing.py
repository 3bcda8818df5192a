"""Secrets of accounts are encrypted before a configuration is written, when the API has the key."""

from typing import Any

from millrace_core.names import Tenant
from millrace_service.encryption import encrypt, is_encrypted

SEALED = ("apiKey", "secret", "password")
"""The fields of an account that are encrypted."""


def sealed(config: Any, key: bytes) -> Any:
    """Return a valid configuration with every plain secret of its accounts encrypted for its tenant."""
    accounts = config.get("exchanges")
    if not isinstance(accounts, dict):
        return config
    return config | {
        "exchanges": {
            tenant: {exchange: _sealed_account(Tenant(tenant), held, key) for exchange, held in exchanges.items()}
            for tenant, exchanges in accounts.items()
        }
    }


def _sealed_account(tenant: Tenant, account: dict[str, Any], key: bytes) -> dict[str, Any]:
    return {
        name: encrypt(tenant, value, key)
        if name in SEALED and isinstance(value, str) and value and not is_encrypted(value)
        else value
        for name, value in account.items()
    }
