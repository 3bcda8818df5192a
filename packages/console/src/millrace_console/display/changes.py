"""What a new configuration changes, as the API says it, in tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from millrace_console.display.table import Cell, Column, Row
from millrace_console.display.text import NONE

CHANGES = (Column("Where"), Column("Change"), Column("Before"), Column("After"))
UNITS = (Column("Effect"), Column("Unit"))
_LONGEST = 120
_SIGNS = {"added": "+ added", "removed": "\N{MINUS SIGN} removed", "changed": "~ changed"}
_EFFECTS = {"starts": "▶ starts", "stops": "■ stops", "restarts": "↻ restarts"}


def change_rows(items: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return a row for each changed place."""
    return [
        [Cell(each["path"]), _SIGNS[each["kind"]], _value(each, "before", "added"), _value(each, "after", "removed")]
        for each in items
    ]


def unit_rows(units: Iterable[Mapping[str, str]]) -> list[Row]:
    """Return a row for each unit that does not go on as it is."""
    return [[Cell(_EFFECTS[each["effect"]], "warn"), each["unit"]] for each in units]


def reversed_changes(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes that lead back."""
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    return [
        {**each, "kind": kinds[each["kind"]], "before": each.get("after"), "after": each.get("before")}
        for each in items
    ]


def _value(change: Mapping[str, Any], side: str, absent_when: str) -> Cell:
    if change["kind"] == absent_when:
        return Cell(NONE)
    text = msgspec.json.encode(change.get(side)).decode()
    return Cell(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …", hint=text[:2_000])
