"""Values as JSON for programs of any language: decimals are texts, floats numbers. Pure.

None loses a digit, and none has an exponent.
"""

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from millrace_core.decimals import spelled
from millrace_core.exact_json import digits_of, without_exponents

_encode = msgspec.json.Encoder(enc_hook=digits_of).encode
_EXPONENT: Final = re.compile(rb'"-?[0-9](?:\.[0-9]+)?E[+-][0-9]+"')


def json_text(value: object) -> bytes:
    """Return a value as JSON."""
    text = _encode(value)
    if _EXPONENT.search(text) is not None:
        text = _encode(_spelled(msgspec.to_builtins(value, builtin_types=(Decimal, msgspec.Raw), enc_hook=digits_of)))
    return without_exponents(text)


def _spelled(value: Any) -> Any:
    """Return a value whose decimals are texts without exponents."""
    if isinstance(value, Decimal):
        return spelled(str(value))
    if isinstance(value, dict):
        return {name: _spelled(item) for name, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list | tuple) else value
