"""Which positions an account holds, and what an exchange's reports change of that. Pure."""

from collections.abc import Iterable

from msgspec import structs

from millrace_core.market import ExchangePosition, ExchangePositionKey


class PositionBook:
    """The open positions of one account.

    Each method returns the positions to publish: those that changed, and for each that is held no more one of 0
    contracts.
    """

    def __init__(self, open_positions: Iterable[ExchangePosition] = ()) -> None:
        self._open: dict[ExchangePositionKey, ExchangePosition] = {
            position.key: position for position in open_positions
        }

    @property
    def open(self) -> list[ExchangePosition]:
        """Return the open positions."""
        return list(self._open.values())

    def reported(self, positions: Iterable[ExchangePosition]) -> list[ExchangePosition]:
        """Take positions that the exchange sent; others stay as they are."""
        return [change for position in positions for change in self._reported(position)]

    def answered(self, positions: Iterable[ExchangePosition], but: set[str]) -> list[ExchangePosition]:
        """Take all open positions, as the exchange answered; those in the symbols `but` stay as they are."""
        held = [self._completed(position) for position in positions if position.symbol not in but]
        keys = {position.key for position in held}
        gone = [position for position in self.open if position.symbol not in but and position.key not in keys]
        return [*self._close(gone, None), *(change for position in held for change in self._set(position))]

    def _reported(self, position: ExchangePosition) -> list[ExchangePosition]:
        position = self._completed(position)
        if not position.contracts:
            return self._close([known for known in self.open if _is_closed_by(known, position)], position.timestamp)
        turned = [known for known in self.open if _is_turned_by(known, position)]
        return [*self._close(turned, position.timestamp), *self._set(position)]

    def _completed(self, position: ExchangePosition) -> ExchangePosition:
        """Return a position with the margin mode of the one that is known, if the exchange does not say it."""
        if position.margin_mode is not None:
            return position
        known = [each for each in self.open if (each.symbol, each.side) == (position.symbol, position.side)]
        return structs.replace(position, margin_mode=known[0].margin_mode) if len(known) == 1 else position

    def _set(self, position: ExchangePosition) -> list[ExchangePosition]:
        if self._open.get(position.key) == position:
            return []
        self._open[position.key] = position
        return [position]

    def _close(self, positions: list[ExchangePosition], at_ms: int | None) -> list[ExchangePosition]:
        for position in positions:
            del self._open[position.key]
        return [
            ExchangePosition(
                symbol=gone.symbol, side=gone.side, margin_mode=gone.margin_mode, id=gone.id, timestamp=at_ms
            )
            for gone in positions
        ]


def _is_closed_by(known: ExchangePosition, report: ExchangePosition) -> bool:
    """Tell whether a report of 0 contracts means a position; one without a side or margin mode means each."""
    return known.symbol == report.symbol and all(
        said is None or said == had
        for said, had in ((report.side, known.side), (report.margin_mode, known.margin_mode))
    )


def _is_turned_by(known: ExchangePosition, report: ExchangePosition) -> bool:
    """Tell whether a report shows that a position is held no more: outside of hedge mode a symbol has one side."""
    is_other_side = known.symbol == report.symbol and known.side != report.side
    return is_other_side and report.hedged is False and known.margin_mode == report.margin_mode
