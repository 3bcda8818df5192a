"""The values of one plot: the whole run in a bounded number of points. Pure."""

from collections.abc import Iterable
from typing import Final

MOST_POINTS: Final = 400
FIRST_SPACING_MS: Final = 1_000

Point = tuple[int, float]
"""Time in ms, and value."""


class PlotLine:
    """Points at least `spacing_ms` apart; of values nearer than that the newest is kept.

    Whenever there are too many, every second one goes and the spacing doubles, so a plot becomes coarser and not
    shorter: 400 points show a run of any length.
    """

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.points = list(points)[-MOST_POINTS:]
        """The points, oldest first."""
        self.spacing_ms = FIRST_SPACING_MS
        while len(self.points) > 1 and self._span_ms > MOST_POINTS * self.spacing_ms:
            self.spacing_ms *= 2

    def add(self, at_ms: int, value: float) -> None:
        """Add a value."""
        if len(self.points) > 1 and at_ms - self.points[-2][0] < self.spacing_ms:
            self.points[-1] = at_ms, value
        else:
            self.points.append((at_ms, value))
        if len(self.points) > MOST_POINTS:
            # The newest stays.
            self.points = self.points[len(self.points) % 2 == 0 :: 2]
            self.spacing_ms *= 2

    @property
    def _span_ms(self) -> int:
        return self.points[-1][0] - self.points[0][0]
