import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_core.config import DbsyncConfig, parse_config, read_json
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.json_problems import MAX_VALUES, TOO_LARGE, is_too_deep, load_json

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


def test_repeated_keys_are_found_in_one_pass() -> None:
    """As many as fit in a request; each key compared with each other would take minutes."""
    keys = [f'"{number:x}":0' for number in range(100_000)]
    assert load_json("{" + ",".join([*keys, keys[7]]) + "}").repeated == ["7"]


def test_mistakes_are_found_in_one_pass_and_reported_up_to_a_thousand() -> None:
    """Each compared with each other would take minutes; more values than any configuration has are one mistake."""
    plans = ["1"] * (MAX_VALUES - 10)
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(DbsyncConfig, f'{{"agent":{{"id":"DBSYNC"}},"workplans":[{",".join(plans)}]}}')
    assert len(caught.value.problems) == 1_001
    assert caught.value.problems[-1] == Problem("$", "has 48,990 more mistakes")
    assert read_json(f'{{"workplans":[{",".join(["1"] * MAX_VALUES)}]}}') == (None, (TOO_LARGE,))
