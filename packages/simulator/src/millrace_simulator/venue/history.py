"""The recorded past of every order book."""

from __future__ import annotations

from millrace_simulator.venue.instrument import BookSnapshot
from millrace_simulator.venue.listener import Listener


class BookHistory(Listener):
    """Every change of every book since the venue opened, so that any past book can be rebuilt exactly."""

    def book_as_of(self, symbol: str, update_id: int) -> BookSnapshot:
        """The whole book just after this update.

        Raises:
            UnknownSymbol: nothing of this symbol was recorded.
            LookupError: that update has not happened.
        """
        raise NotImplementedError
