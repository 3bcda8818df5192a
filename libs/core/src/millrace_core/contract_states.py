"""The states of what only contracts have: an account's positions, and liquidations. Pure."""

from collections import deque
from typing import Final

import msgspec

from millrace_core.ids import MessageId
from millrace_core.market import (
    ExchangePosition,
    ExchangePositionKey,
    ExchangePositionsDelta,
    ExchangePositionsSnapshot,
    Liquidation,
    LiquidationsDelta,
    LiquidationsSnapshot,
)
from millrace_core.state_data import Flawless, as_of_id, decode

KEPT_LIQUIDATIONS: Final = 1_000

_LIQUIDATIONS_SNAPSHOT = msgspec.json.Decoder(LiquidationsSnapshot)
_LIQUIDATIONS_DELTA = msgspec.json.Decoder(LiquidationsDelta)
_POSITIONS_SNAPSHOT = msgspec.json.Decoder(ExchangePositionsSnapshot)
_POSITIONS_DELTA = msgspec.json.Decoder(ExchangePositionsDelta)


class ExchangePositionsState(Flawless):
    """An account's open positions."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.open: dict[ExchangePositionKey, ExchangePosition] = {}

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's positions and no others."""
        snapshot = self._read(decode(_POSITIONS_SNAPSHOT, data), data)
        self.open = {position.key: position for position in snapshot.positions}
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> ExchangePositionsDelta:
        """Update the changed positions, and remove closed ones."""
        delta = self._read(decode(_POSITIONS_DELTA, data), data)
        for position in delta.positions:
            if position.contracts:
                self.open[position.key] = position
            else:
                self.open.pop(position.key, None)
        return delta


class LiquidationsState(Flawless):
    """The newest liquidations, oldest first."""

    def __init__(self, *, exact: bool = False) -> None:
        super().__init__(exact=exact)
        self.liquidations: deque[Liquidation] = deque(maxlen=KEPT_LIQUIDATIONS)

    def reset(self, data: msgspec.Raw) -> MessageId:
        """Hold the snapshot's liquidations and no others."""
        snapshot = self._read(decode(_LIQUIDATIONS_SNAPSHOT, data), data)
        self.liquidations.clear()
        self.liquidations.extend(snapshot.liquidations)
        return as_of_id(snapshot.as_of)

    def apply(self, data: msgspec.Raw) -> LiquidationsDelta:
        """Add the new liquidations."""
        delta = self._read(decode(_LIQUIDATIONS_DELTA, data), data)
        self.liquidations.extend(delta.liquidations)
        return delta
