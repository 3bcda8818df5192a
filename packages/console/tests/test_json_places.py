"""Mistakes are shown at their place in the text, whatever state the text is in."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_console.pages.configuration.json_places import line_of, mistakes, own_mistakes, places

TEXT = """{
  "agent": {"id": "X", "naem": "\N{GREEK SMALL LETTER ALPHA}"},
  "workplans": [
    {"tenant": "Ann", "retention": 5},
    {"tenant": "Bob"}
  ]
}"""


def shown(path: str) -> str:
    """Return the part of the text that shows a mistake at a path."""
    (found,) = mistakes(TEXT, [{"path": path, "message": "wrong"}])
    return TEXT[found.span.start : found.span.end]


def test_a_field_is_shown_and_of_an_object_its_key() -> None:
    """Each path has the span that a reader looks for."""
    assert shown("$.workplans[0].retention") == '"retention": 5'
    assert shown("$.agent") == '"agent"'
    assert shown("$.agent.naem") == '"naem": "\N{GREEK SMALL LETTER ALPHA}"'


def test_what_is_missing_is_shown_at_what_should_hold_it() -> None:
    """A required field that is absent has no place of its own; the nearest that exists shows it."""
    assert shown("$.workplans[1].exchangeId") == "{"
    assert shown("$.agent.limits.memoryMb") == '"agent"'
    assert shown("$.exchanges") == "{"


def test_syntax_errors_and_repeated_keys_have_places() -> None:
    """A text that is not JSON has one mistake, where it ends to be."""
    (found,) = own_mistakes('{"a": 1,\n "b": }')
    assert line_of('{"a": 1,\n "b": }', found.span.start) == 2
    assert [each.path for each in own_mistakes('{"a": 1, "a": 2}')] == ["$.a"]
    assert [each.message for each in own_mistakes("[]")] == ["must be an object"]
    assert own_mistakes(TEXT) == []


@given(st.text(alphabet='{}[]",:1a\\\n ', max_size=60))
def test_any_text_has_places_within_it(text: str) -> None:
    """Whatever is being typed, no place lies outside of the text and nothing raises."""
    for span in places(text).values():
        assert 0 <= span.start < span.end <= len(text)
    assert all(each.span.start <= len(text) for each in own_mistakes(text))
