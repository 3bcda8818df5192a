"""Fair values: a slow random walk for each asset, with occasional trends.

A symbol's fair value is its opening price times what its base gained over what its quote gained, so that ETH/BTC
always agrees with ETH/USDT and BTC/USDT.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp
from random import Random

STEP_SECONDS = 0.1
"""Values move on this grid, whatever the steps of the market are."""

_VOLATILITY = 0.00004
"""Standard deviation of a second's return."""
_RETURN_PER_SECOND = 1 / 3600
"""How strongly a value is drawn back to its opening."""
_TREND_BEGINS_PER_SECOND = 1 / 240
_TREND_ENDS_PER_SECOND = 1 / 60
_TREND_DRIFT = 0.00002
"""Standard deviation of a trend's return a second."""


class _Walk:
    """One asset's gain since the opening, as a logarithm."""

    __slots__ = ("gain", "rng", "trend")

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.gain = 0.0
        self.trend = 0.0

    def move(self, activity: float) -> None:
        rng = self.rng
        if rng.random() < STEP_SECONDS * (_TREND_ENDS_PER_SECOND if self.trend else _TREND_BEGINS_PER_SECOND):
            self.trend = 0.0 if self.trend else rng.gauss(0, _TREND_DRIFT)
        drift = self.trend - self.gain * _RETURN_PER_SECOND
        noise = rng.gauss(0, _VOLATILITY * STEP_SECONDS**0.5)
        self.gain += drift * activity * STEP_SECONDS + noise * activity**0.5


class FairValues:
    """The worth of every asset relative to its opening; the money in which prices are quoted stands still."""

    def __init__(self, seed: int, assets: Iterable[str]) -> None:
        self._seed = seed
        self._walks: dict[str, _Walk] = {}
        for asset in assets:
            self.add(asset)

    def add(self, asset: str) -> None:
        """Let an asset that was not there have a value that moves from now on."""
        self._walks.setdefault(asset, _Walk(Random(f"{self._seed} {asset}")))  # noqa: S311

    def move(self, activity: float) -> None:
        """Advance by one step of the grid; `activity` scales time for the values."""
        for walk in self._walks.values():
            walk.move(activity)

    def ratio(self, base: str, quote: str) -> float:
        """Return the value of one `base` in `quote`, relative to the opening."""
        return exp(self._gain(base) - self._gain(quote))

    def trend(self, base: str, quote: str) -> float:
        """Return the drift of that ratio for each second."""
        return self._trend(base) - self._trend(quote)

    def _gain(self, asset: str) -> float:
        walk = self._walks.get(asset)
        return walk.gain if walk else 0.0

    def _trend(self, asset: str) -> float:
        walk = self._walks.get(asset)
        return walk.trend if walk else 0.0
