"""The checks of `tools/`: each finds what it looks for."""

from pathlib import Path

import grimp
import pytest
from tools import api_reference, circles, configuration, decoders, metrics, sizes, words


def test_a_circle_is_found_through_several_modules() -> None:
    """All modules of a circle are named once; modules that only use it are not."""
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a"), ("user", "a"), ("c", "used")):
        graph.add_import(importer=importer, imported=imported)
    assert circles.circles(graph) == [["a", "b", "c"]]
    graph.remove_import(importer="c", imported="a")
    assert circles.circles(graph) == []


@pytest.mark.parametrize(("numbers", "found"), [([1], 1), (range(1, 101), 95), (range(1, 21), 19)])
def test_the_95th_percentile_is_a_size_that_occurs(numbers: range, found: int) -> None:
    """95 % of the sizes are no larger."""
    assert sizes.p95(numbers) == found


def test_replaced_words_are_found_in_names_and_files_only(tmp_path: Path) -> None:
    """Parts of names count, prose and longer words do not, and "Give" counts where a docstring opens with it."""
    file = tmp_path / "shelves.py"
    file.write_text(
        '"""Nobody was told."""\ndef bury_haul(toldest: int) -> int:\n    """Give it."""\n    return toldest\n'
    )
    assert [line for line, _ in words.findings(file)] == [0, 2, 2]
    assert words.replacement("GapRecovery") is None
    assert words.replacement("Recovery") == "GapRecovery"
    assert words.replacement("RedisWire") == "connection"


def test_a_handler_that_knows_only_the_decoders_own_errors_is_found() -> None:
    """By whatever name; one that also knows what else a decoder raises is fine."""
    caught = ("msgspec.MsgspecError", "(OSError, Wrong)", "(Wrong, RecursionError)", "UNREADABLE", "ValidationError")
    tries = "".join(f"try:\n    x()\nexcept {each}:\n    pass\n" for each in caught)
    assert list(decoders.incomplete_handlers(f"from msgspec import DecodeError as Wrong\n{tries}")) == [4, 8]
    assert decoders.main() == 0


def test_the_reference_of_metrics_is_that_of_the_code() -> None:
    """The table in docs/metrics.md was written after the last change of a metric."""
    text = metrics.PAGE.read_text()
    assert metrics.page(text) == text, "run `python tools/metrics.py`"
    assert "| `millrace_stream_lost_total` | counter | `unit` | gatherer, dbsync |" in text


def test_every_field_of_a_configuration_is_in_the_docs_and_says_what_it_means() -> None:
    """The editor shows the same text while one types."""
    assert configuration.undescribed() == []
    assert configuration.PAGE.read_text() == configuration.page(), "run `python tools/configuration.py`"


def test_the_apis_routes_are_up_to_date_in_the_docs() -> None:
    """A route that is added or changed is in the table."""
    assert api_reference.PAGE.read_text() == api_reference.page(), "run `python tools/api_reference.py`"
