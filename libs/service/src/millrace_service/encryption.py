"""Secrets in configurations: `enc:…` texts, readable only with the key, and only for their tenant.

While a key is replaced there are two: the newest encrypts, and each decrypts what it encrypted. Keys are held in a row,
32 bytes each, newest first.

AES-256-GCM with the tenant as associated data: a text copied into another tenant's section does not decrypt.
The text after `enc:` is the nonce and the ciphertext, in URL-safe base64.
"""

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Final

from millrace_core.names import Tenant
from millrace_service.errors import SecretUnreadable, SettingsInvalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX: Final = "enc:"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def new_key() -> str:
    """Return a new key in the form of `MILLRACE_SECRET_KEY`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def parse_key(text: str) -> bytes:
    """Return the 32 bytes of a key in base64, or in 64 hex digits.

    Raises:
        SettingsInvalid: the text has another form.
    """
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * _KEY_BYTES else _from_base64(text)
    except ValueError:  # binascii.Error is one
        key = b""
    if len(key) != _KEY_BYTES:
        # The message leaves out the text: it may be the key with one character missing.
        raise SettingsInvalid(
            "the secret key must be 32 bytes in base64 or 64 hex digits; `openssl rand -base64 32` makes one"
        )
    return key


def parse_keys(text: str) -> bytes:
    """Return the keys of a text, in a row: one or more, newest first, with spaces, commas or line ends between them.

    Raises:
        SettingsInvalid: there is none, or one has another form.
    """
    return b"".join(parse_key(part) for part in text.replace(",", " ").split() or [text])


def is_key(text: str) -> bool:
    """Tell whether a text has the form of a key."""
    try:
        parse_key(text)
    except SettingsInvalid:
        return False
    return True


def is_encrypted(text: str) -> bool:
    """Tell whether a text has the form of an encrypted secret."""
    return text.startswith(PREFIX)


def encrypt(tenant: Tenant, text: str, keys: bytes) -> str:
    """Return the `enc:…` form of a secret, by the newest key; it differs at each call."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = _cipher(keys[:_KEY_BYTES]).encrypt(nonce, text.encode(), tenant.encode())
    return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def decrypt(tenant: Tenant, text: str, keys: bytes | None) -> str:
    """Return the secret that an `enc:…` text holds, whichever of the keys encrypted it.

    Raises:
        SecretUnreadable: there is no key, or the keys, the tenant or the text is wrong.
    """
    if keys is None:
        raise SecretUnreadable("is encrypted, but no key is set: set MILLRACE_SECRET_KEY or MILLRACE_SECRET_KEY_FILE")
    for key in each_key(keys):
        if (secret := _opened(tenant, text, key)) is not None:
            return secret
    raise SecretUnreadable(f"cannot be decrypted: wrong key, another tenant than {tenant}, or damaged text")


def each_key(keys: bytes) -> list[bytes]:
    """Return the keys of a row of keys, newest first."""
    return [keys[at : at + _KEY_BYTES] for at in range(0, len(keys), _KEY_BYTES)]


def _opened(tenant: Tenant, text: str, key: bytes) -> str | None:
    from cryptography.exceptions import InvalidTag

    try:
        sealed = _from_base64(text.removeprefix(PREFIX))
        return _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], tenant.encode()).decode()
    except (InvalidTag, ValueError):
        return None


def _cipher(key: bytes) -> "AESGCM":
    # Imported when first needed: it takes tens of milliseconds of every start, and many configurations need none.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _from_base64(text: str) -> bytes:
    text = text.rstrip("=")
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError("this is not base64") from error
