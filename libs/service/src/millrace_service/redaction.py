"""Keeps secrets out of what people read: logs, and errors in heartbeats.

Three rules apply: fields whose name says that they hold a secret are hidden; so are values that stand in a text after
such a name, as in an address with `signature=…`; and so are the secrets of the configuration, wherever they occur.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

HIDDEN: Final = "***"
_SHORTEST_LEARNED: Final = 6
"""Shorter texts occur by chance; hiding them would garble the log."""

_NAME: Final = (
    r"api[-_]?key|api[-_]?sign|secret|passw(?:or)?d|passphrase|signature|listen[-_]?key|token|"
    r"private[-_]?key|access[-_]?key|authorization|credential|cookie|(?<![a-z])sign?(?![a-z])"
)
_FIELD: Final = re.compile(rf"{_NAME}|(?<![a-z])uid(?![a-z])", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    # name= or "name": and then a quoted text; name=value; name: value, where the value is no word of prose.
    rf"(?P<name>(?:{_NAME})[\w-]{{0,24}}[\"']?\s{{0,2}})"
    r"(?:(?P<quoted>[=:]\s{0,2}(?P<quote>[\"']))(?:(?!(?P=quote)).)*"
    r"|(?P<equals>=\s{0,2})[^\s\"'&,;)}\]]+"
    r"|(?P<colon>:\s{0,2}(?:(?:Bearer|Basic)\s)?)(?=[^\s\"'&,;)}\]]*\d)[^\s\"'&,;)}\]]{8,})",
    re.IGNORECASE | re.DOTALL,
)
_USERINFO: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")
_LISTEN_KEY: Final = re.compile(r"(?<=/ws/)[A-Za-z0-9]{40,}")
"""A listen key opens the account's stream to every reader of the address."""
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)

_learned: dict[str, None] = {}
"""Secrets of this process's configurations, longest first."""


def learn(secrets: Iterable[str]) -> None:
    """Hide these texts from now on, wherever they occur. None is ever forgotten: old ones may still be valid."""
    found = {form for text in secrets for form in (text, quote(text, safe="")) if len(form) >= _SHORTEST_LEARNED}
    _learned.update(dict.fromkeys(found))
    ordered = sorted(_learned, key=len, reverse=True)
    _learned.clear()
    _learned.update(dict.fromkeys(ordered))


def clean_text(text: str) -> str:
    """Return a text with `***` in place of every secret that can be recognised in it."""
    for secret in _learned:
        text = text.replace(secret, HIDDEN)
    text = _PEM.sub(HIDDEN, text)
    text = _LISTEN_KEY.sub(HIDDEN, text)
    text = _USERINFO.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(_hide_value, text)
    # Half a surrogate pair, as in what a foreign program sent, can be written to no log and no heartbeat.
    return text if text.isascii() else text.encode(errors="replace").decode()


def clean(value: Any) -> Any:
    """Return a value fit for a log: its texts cleaned, secret fields hidden, other objects as their text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {str(name): clean_field(str(name), held) for name, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(held) for held in value]
    if isinstance(value, BaseException):
        return clean_text(f"{type(value).__name__}: {value}")
    return clean_text(str(value))


def clean_field(name: str, value: Any) -> Any:
    """Return a field's value, hidden if its name says that it is secret."""
    if value and not isinstance(value, bool) and _FIELD.search(name):
        return HIDDEN
    return clean(value)


def _hide_value(match: re.Match[str]) -> str:
    lead = match["quoted"] or match["equals"] or match["colon"]
    return f"{match['name']}{lead}{HIDDEN}"
