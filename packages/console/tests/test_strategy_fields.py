"""A strategy's settings as a form: what a schema asks for, and JSON that the API takes."""

from typing import Any

import pytest

from millrace_console.pages.strategies.fields import Field, fields_of, parsed, shown
from millrace_console.pages.strategies.plugins import (
    is_stopped,
    planned,
    with_parameters,
    with_status,
    with_strategy_status,
)
from millrace_console.pages.strategies.record import Record, record_of
from millrace_console.pages.strategies.rows import errors_html

DECIMAL = {"anyOf": [{"exclusiveMinimum": 0.0, "maximum": 1e18, "type": "number"}, {"type": "string"}]}
SCHEMA: dict[str, Any] = {
    "required": ["amount"],
    "properties": {
        "amount": DECIMAL,
        "waitMs": {"type": "integer", "minimum": 1, "maximum": 30_000, "default": 250},
        "symbol": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "isFast": {"type": "boolean", "default": False},
        "side": {"enum": ["buy", "sell"], "type": "string"},
        "levels": {"type": "array", "items": {"type": "number"}},
    },
}
FIELDS = {each.name: each for each in fields_of(SCHEMA, {"unknown": 1})}
CONFIG: dict[str, Any] = {
    "agent": {"id": "MAGICBOX", "status": "started"},
    "workplans": [
        {"tenantId": "T1", "plugins": [{"pluginName": "PingPong", "configuration": {"amount": 1}}]},
        {"tenant": "T2", "plugins": [{"pluginName": "PingPong"}, {"pluginName": "PingPong", "name": "Second"}]},
    ],
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("amount", "2", 2),
        ("amount", "0.10", 0.1),
        ("amount", "0.1234567890123456789", "0.1234567890123456789"),
        ("waitMs", "", None),
        ("waitMs", "300", 300),
        ("symbol", "123", "123"),
        ("isFast", "true", True),
        ("side", "sell", "sell"),
        ("levels", "[1, 2.5]", [1, 2.5]),
        ("unknown", "1", 1),
    ],
)
def test_text_becomes_the_schemas_type(name: str, text: str, value: Any) -> None:
    """And no digit is lost: what a JSON number cannot keep is sent as text where the schema takes text."""
    found = parsed(FIELDS[name], text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("amount", "", "required"),
        ("waitMs", "1.5", "a whole number"),
        ("waitMs", "soon", "a number"),
        ("waitMs", "NaN", "a number"),
        ("levels", "[1", "no JSON"),
    ],
)
def test_what_is_no_such_type_is_refused(name: str, text: str, why: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=why):
        parsed(FIELDS[name], text)


@pytest.mark.parametrize("value", [1, 0.25, "0.1234567890123456789", True, "A/B", [1, 2], None])
def test_a_shown_value_is_read_back_the_same(value: Any) -> None:
    """A form that is saved as it was opened changes nothing."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "json"}
    field = Field("x", frozenset({kinds.get(type(value), "string")}), (), False, "")
    assert parsed(field, shown(field, value)) == value


def test_a_field_says_what_it_takes() -> None:
    """Bounds and default beside it; a bound that nobody reaches is left out."""
    assert FIELDS["amount"].hint == "number > 0"
    assert FIELDS["waitMs"].hint == "whole number ≥ 1 ≤ 30,000, default 250"
    assert FIELDS["side"].options == ("buy", "sell")
    assert FIELDS["isFast"].options == ("true", "false")


def test_one_strategy_of_a_configuration_is_changed() -> None:
    """The others stay, and so does what was read."""
    assert [each.unit for each in planned(CONFIG)] == ["T1.PingPong", "T2.PingPong", "T2.Second"]
    new = with_parameters(CONFIG, "T2.Second", {"amount": 3})
    assert [each.parameters for each in planned(new)] == [{"amount": 1}, {}, {"amount": 3}]
    assert planned(CONFIG)[2].parameters == {}
    assert planned(new)[2].path == "$.workplans[1].plugins[1].configuration"


def test_one_strategy_is_stopped_and_started() -> None:
    """The others run on."""
    stopped = with_strategy_status(CONFIG, "T2.Second", "stopped")
    assert [each.is_stopped for each in planned(stopped)] == [False, False, True]
    assert not is_stopped(stopped)
    started = planned(with_strategy_status(stopped, "T2.Second", "started"))
    assert [each.is_stopped for each in started] == [False, False, False]


def test_an_agent_is_stopped_and_started() -> None:
    """By its status, and nothing else of it."""
    stopped = with_status(CONFIG, "stopped")
    assert is_stopped(stopped)
    assert with_status(stopped, "started") == CONFIG


def test_an_error_shows_its_traceback_as_text() -> None:
    """What a strategy raised is no HTML of ours; the errors of other units are left out."""
    errors = [
        {"at": 0, "where": "T1.PingPong", "message": "<b>no</b>", "traceback": "line <1>"},
        {"at": 1, "where": "T2.Other", "message": "else", "traceback": None},
    ]
    found = errors_html([{"id": "MAGICBOX", "lastErrors": errors}], "T1.PingPong")
    assert "&lt;b&gt;no" in found
    assert "line &lt;1&gt;" in found
    assert "else" not in found


def test_a_record_shows_what_can_be_read() -> None:
    """Plots by name, the newest line first, each field of the state; what is cut off or strange is left out."""
    lines = '[{"at": 1, "level": "info", "text": "a"}, {"at": 2, "level": "error", "text": "b"}]'
    found = record_of(
        [
            ("plot.mid", "[[1, 2.5]]"),
            ("plot.cut", "[[1, 2"),
            ("log", lines),
            ("state", '{"n": [1]}'),
            ("positions", "[]"),
        ]
    )
    assert found.plots == {"mid": [[1, 2.5]]}
    assert [row[2].text for row in found.log] == ["b", "a"]  # type: ignore[union-attr]
    assert [(name, value.text) for name, value in found.state] == [("n", "[1]")]  # type: ignore[union-attr]
    assert record_of([("log", "{}"), ("state", "[]")]) == Record()
