import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.json_problems import is_too_deep

VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.integers(0, 6), st.booleans())
def test_the_depth_is_that_of_the_value(value: Any, most: int, ascii_only: bool) -> None:
    """Brackets and quotes within strings nest nothing."""
    assert is_too_deep(json.dumps(value, ensure_ascii=ascii_only).encode(), most) == (depth(value) > most)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'["' + b"[" * 200, b'"\\', b"}" * 200])
def test_what_is_no_json_is_looked_through_once(text: bytes) -> None:
    """A string that never ends hides the rest, and nothing is tried twice."""
    assert is_too_deep(text) == (text[:2] in (b"[[", b'{"'))
