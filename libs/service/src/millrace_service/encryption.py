"""Secrets in configurations: `enc:…` texts, readable only with the key, and only for their tenant.

AES-256-GCM with the tenant as associated data: a text copied into another tenant's section does not decrypt.
"""

from millrace_core.names import Tenant


def new_key() -> str:
    """Give a fresh key in the form that `MILLRACE_SECRET_KEY` takes."""
    raise NotImplementedError


def parse_key(text: str) -> bytes:
    """Read a key as `new_key` writes it: 32 bytes in base64, or in 64 hex digits.

    Raises:
        SettingsInvalid: it is something else.
    """
    raise NotImplementedError


def encrypt(tenant: Tenant, text: str, key: bytes) -> str:
    """Give the `enc:…` form of a secret; another one at each call."""
    raise NotImplementedError


def decrypt(tenant: Tenant, text: str, key: bytes | None) -> str:
    """Give the secret that an `enc:…` text holds.

    Raises:
        SecretUnreadable: there is no key, it is another key or tenant, or the text was damaged.
    """
    raise NotImplementedError
