"""Keeps secrets out of what people read: output, heartbeats, answers, statuses.

Three rules apply: fields whose name says that they hold a secret are hidden; so are values that stand in a text after
such a name, as in an address with `signature=…`; and so are the secrets of the settings and the configuration, wherever
they occur and however they are written: in an address, in JSON, in base64.

Texts of strangers are cleaned too: no pattern looks further ahead than a bound, or than where its next match may begin.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

HIDDEN: Final = "***"
_SHORTEST_LEARNED: Final = 6
"""Shorter texts occur by chance; hiding them would garble the log."""
_SHORTEST_NAMED: Final = 8
"""The same of texts that only their field's name calls secret, which have to hold a digit besides."""

_NAME: Final = (
    r"api[-_]?key|api[-_]?sign|secret|passw(?:or)?d|passphrase|signature|listen[-_]?key|token|"
    r"private[-_]?key|access[-_]?key|authorization|credential|cookie|webhook|(?<![a-z])(?:sign?|uid)(?![a-z])"
)
_FIELD: Final = re.compile(_NAME, re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    # name= or "name": and then a quoted text; name=value; name: value, where the value is no word of prose.
    # Within JSON that stands in a text, quotes have backslashes before them.
    rf"(?P<name>(?:{_NAME})[\w-]{{0,24}}\\{{0,3}}[\"']?\s{{0,2}})"
    r"(?:(?P<quoted>[=:]\s{0,2}(?P<quote>\\{0,3}[\"']))(?:(?!(?P=quote))(?:\\.|.))*"
    r"|(?P<equals>=\s{0,2})(?P<value>[^\s\"'&,;)}\]\\]+)"
    r"|(?P<colon>:\s{0,2}(?:(?:Bearer|Basic)\s)?)(?=[^\s\"'&,;)}\]\d]{0,96}+\d)[^\s\"'&,;)}\]]{8,})",
    re.IGNORECASE | re.DOTALL,
)
_USERINFO: Final = re.compile(r"(://[^\s/:@]*:)([^\s/@]+)(?=@)")
_LISTEN_KEY: Final = re.compile(r"(?<=/ws/)[A-Za-z0-9]{40,}")
"""A listen key opens the account's stream to every reader of the address."""
_TOKEN: Final = re.compile(r"(?<=mr_[0-9a-f]{12}_)[A-Za-z0-9_-]{32}")
"""The secret of a token of our API, which may stand anywhere: a person may paste it into an address."""
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----BEGIN ).)*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
)

_ALL_SECRET: Final = frozenset({"receivers", "headers"})
"""Fields of which every text is secret, whatever it is called."""
_PARTS: Final = re.compile(r"[/@:?&=]+")

_learned: dict[str, None] = {}
"""Secrets of this process's settings and configurations in each of their forms, longest first."""


def learn(secrets: Iterable[str]) -> None:
    """Hide these texts from now on, wherever they occur. None is ever forgotten: old ones may still be valid."""
    found = {form for text in secrets if len(text) >= _SHORTEST_LEARNED for form in _forms(text)} - _learned.keys()
    if not found:
        return
    _learned.update(dict.fromkeys(found))
    ordered = sorted(_learned, key=len, reverse=True)
    _learned.clear()
    _learned.update(dict.fromkeys(ordered))


def learn_document(value: Any) -> None:
    """Hide what a decoded configuration calls secret, whether the configuration is right or not."""
    learn(secrets_in(value))


def secrets_in(value: Any, *, below_secret: bool = False) -> Iterator[str]:
    """Yield the texts of a decoded configuration that names of fields, or addresses, call secret.

    Encrypted ones are left out, and those that could be words or names of markets.
    """
    if isinstance(value, Mapping):
        for name, held in value.items():
            is_secret = below_secret or str(name) in _ALL_SECRET or _FIELD.search(str(name)) is not None
            yield from secrets_in(held, below_secret=is_secret)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from secrets_in(held, below_secret=below_secret)
    elif isinstance(value, str):
        found = [unquote(match[2]) for match in _USERINFO.finditer(value)]
        found += [match["value"] for match in _ASSIGNED.finditer(value) if match["value"]]
        if below_secret and not value.startswith("enc:"):
            found += [value, *(_PARTS.split(value) if "://" in value else ())]
        yield from filter(_is_no_word, found)


def _is_no_word(text: str) -> bool:
    return len(text) >= _SHORTEST_NAMED and any(map(str.isdecimal, text))


def _forms(text: str) -> set[str]:
    """Return a secret as programs write it."""
    in_json = json.dumps(text)[1:-1]
    written = {text, quote(text, safe=""), quote(text), quote_plus(text)}
    written |= {in_json, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(in_json)[1:-1], repr(text)[1:-1]}
    plain = {_base64(text.encode(errors="replace"), shift) for shift in range(3)}
    return written | plain | {each.replace("+", "-").replace("/", "_") for each in plain}


def _base64(raw: bytes, shift: int) -> str:
    """Return the digits of a text in the base64 of a longer one, after `shift` bytes and any groups of three."""
    return base64.b64encode(b"\0" * shift + raw).decode()[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


def clean_text(text: str) -> str:
    """Return a text with `***` in place of every secret that can be recognised in it."""
    for secret in _learned:
        text = text.replace(secret, HIDDEN)
    text = _PEM.sub(HIDDEN, text)
    text = _TOKEN.sub(HIDDEN, text)
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
