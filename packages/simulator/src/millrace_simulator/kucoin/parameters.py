"""Parameters of a request: those of its path and its query, or of its JSON body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from millrace_simulator.kucoin import errors

_DECIMAL = re.compile(r"[0-9]{1,24}(\.[0-9]{1,24})?")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Parameters:
    """Read access to one request's parameters by name; an empty value counts as absent."""

    def __init__(self, values: Mapping[str, Any], host: str = "") -> None:
        self._values = values
        self.host = host
        """Where the client reached the server: host:port."""

    def text(self, name: str) -> str | None:
        """Return the value as text; None where it was not sent."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    def required(self, name: str) -> str:
        """Return the value as text.

        Raises:
            KucoinError: it was not sent.
        """
        value = self.text(name)
        if value is None:
            raise errors.missing(name)
        return value

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        """Return the value, one of `allowed` however capitalised.

        Raises:
            KucoinError: it is none of them.
        """
        value = self.text(name) or default
        found = next((each for each in allowed if each.lower() == value.lower()), None)
        if found is None:
            raise errors.bad_parameter(f"{name} not in the given range!")
        return found

    def decimal(self, name: str) -> Decimal | None:
        """Return the value as a number from 0 on.

        Raises:
            KucoinError: it is none.
        """
        value = self.text(name)
        if value is not None and not _DECIMAL.fullmatch(value):
            raise errors.bad_parameter(f"{name} is not a number")
        return None if value is None else Decimal(value)

    def integer(self, name: str) -> int | None:
        """Return the value as a whole number.

        Raises:
            KucoinError: it is none.
        """
        value = self.text(name)
        if value is not None and not _INTEGER.fullmatch(value):
            raise errors.bad_parameter(f"{name} is not a whole number")
        return None if value is None else int(value)

    def boolean(self, name: str) -> bool:
        """Return the value as true or false; absent it is false."""
        return self.choice(name, ("true", "false"), "false") == "true"

    def parts(self, name: str) -> list[Parameters]:
        """Return the objects of a JSON array.

        Raises:
            KucoinError: it is no array of objects, or empty.
        """
        items = self._values.get(name)
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise errors.missing(name)
        return [Parameters(item, self.host) for item in items]


def read(path: Mapping[str, str], query: str, body: str, host: str) -> Parameters:
    """Return a request's parameters; a name takes its value from the path, then the body, then the query.

    Raises:
        KucoinError: the body is no JSON object.
    """
    values: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if body:
        try:
            values |= msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            raise errors.bad_parameter("The body is not a JSON object") from None
    return Parameters({**values, **path}, host)
