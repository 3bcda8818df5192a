"""What an exchange's reports change of the positions of an account."""

from typing import Any

import pytest

from millrace_core.market import ExchangePosition
from millrace_gatherer.streams.position_book import PositionBook

LONG = ExchangePosition(symbol="A", side="long", margin_mode="cross", contracts=2.0)
SHORT = ExchangePosition(symbol="A", side="short", margin_mode="cross", contracts=1.0)
OTHER = ExchangePosition(symbol="B", side="long", margin_mode="isolated", contracts=1.0)


def closed(position: ExchangePosition) -> ExchangePosition:
    """Return what is published of a position that is held no more."""
    return ExchangePosition(symbol=position.symbol, side=position.side, margin_mode=position.margin_mode)


@pytest.mark.parametrize(
    ("report", "changes", "left"),
    [
        ({"symbol": "A", "side": "long", "margin_mode": "cross", "contracts": 2.0}, [], [LONG, SHORT, OTHER]),
        ({"symbol": "A", "side": "long", "margin_mode": "cross"}, [closed(LONG)], [SHORT, OTHER]),
        ({"symbol": "A", "side": "long"}, [closed(LONG)], [SHORT, OTHER]),
        ({"symbol": "A"}, [closed(LONG), closed(SHORT)], [OTHER]),
        ({"symbol": "A", "margin_mode": "isolated"}, [], [LONG, SHORT, OTHER]),
        ({"symbol": "C"}, [], [LONG, SHORT, OTHER]),
    ],
    ids=["nothing new", "closed", "closed without a mode", "closed without a side", "of the other mode", "unknown"],
)
def test_a_report_closes_what_it_means(
    report: dict[str, Any], changes: list[ExchangePosition], left: list[ExchangePosition]
) -> None:
    """A position that is held no more is said to be closed; the others stay."""
    book = PositionBook([LONG, SHORT, OTHER])
    assert book.reported([ExchangePosition(**report)]) == changes
    assert book.open == left


def test_outside_of_hedge_mode_a_symbol_has_one_side() -> None:
    """A position that turned closes the side that it had; in hedge mode both are held."""
    turned = ExchangePosition(symbol="A", side="short", margin_mode="cross", contracts=1.0, hedged=False)
    book = PositionBook([LONG, OTHER])
    assert book.reported([turned]) == [closed(LONG), turned]
    assert PositionBook([LONG]).reported([SHORT]) == [SHORT]


def test_a_report_without_a_margin_mode_is_of_the_known_position() -> None:
    """Otherwise the answer to a question, which has it, would be another position."""
    book = PositionBook([OTHER])
    book.reported([ExchangePosition(symbol="B", side="long", contracts=5.0)])
    assert book.open == [ExchangePosition(symbol="B", side="long", margin_mode="isolated", contracts=5.0)]


def test_an_answer_closes_what_it_does_not_name() -> None:
    """But for symbols of which a message came meanwhile."""
    book = PositionBook([LONG, SHORT, OTHER])
    assert book.answered([LONG], but={"B"}) == [closed(SHORT)]
    assert book.open == [LONG, OTHER]
