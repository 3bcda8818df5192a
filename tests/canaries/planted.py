"""Secrets that a test can recognise wherever they turn up, in each of the forms in which programs write texts."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHIFTS = range(3)
"""Base64 of a longer text shows a secret in one of three forms, by how many bytes stand before it."""


class Canaries:
    """The planted secrets, by what they are."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}
        self._forms: dict[str, str] = {}

    def plant(self, name: str, text: str) -> str:
        """Note a secret, and return it."""
        self.planted[name] = text
        self._forms |= {form: f"{name} ({how})" for how, form in forms(text)}
        return text

    def secret(self, name: str) -> str:
        """Plant a secret with the characters that each way of writing changes."""
        return self.plant(name, f'Cnry/{name}+7%"\\2f9b4')

    def word(self, name: str) -> str:
        """Plant a secret of letters and digits, where nothing else can stand."""
        return self.plant(name, f"cnry{name.replace(' ', '')}4d7a1c09e2")

    def leaks(self, text: str, where: str, *, but: tuple[str, ...] = ()) -> list[str]:
        """Return which secrets stand in a text, and in which form; none whose name begins with `but`."""
        found = (name for form, name in self._forms.items() if form in text)
        return [f"{where}: {name}" for name in found if not name.startswith(but)]


def forms(text: str) -> Iterator[tuple[str, str]]:
    """Yield a text as programs write it: plain, in an address, in JSON, in base64."""
    yield "plain", text
    yield "in an address", quote(text, safe="")
    yield "in an address, slashes plain", quote(text)
    yield "in a form", quote_plus(text)
    yield "in JSON", json.dumps(text)[1:-1]
    yield "in JSON within JSON", json.dumps(json.dumps(text)[1:-1])[1:-1]
    for shift in SHIFTS:
        yield "in base64", base64_core(text, shift)
        yield "in base64 for addresses", base64_core(text, shift).replace("+", "-").replace("/", "_")


def base64_core(text: str, shift: int) -> str:
    """Return what base64 makes of a text after `shift` other bytes, without the digits that neighbours share."""
    raw = b"\0" * shift + text.encode()
    return base64.b64encode(raw).decode()[-(-shift * 8 // 6) : len(raw) * 8 // 6]
