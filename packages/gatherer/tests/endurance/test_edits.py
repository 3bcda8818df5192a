"""Random edits of the configuration under load: what an edit does not touch misses nothing."""

import itertools
import json
import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from packages.gatherer.tests.endurance.conftest import (
    AGENT,
    UNLIMITED,
    Watch,
    account,
    assert_right,
    shows,
    trade_ids,
    venue,
)

from millrace_bus import Bus
from millrace_core.config import GathererConfig
from millrace_core.config.common import revision
from millrace_gatherer.units import StreamUnitConfig, stream_units
from millrace_simulator.listings import DialectName

EDITS: Final = int(os.environ.get("MILLRACE_TEST_EDITS", "6"))
SEED: Final = int(os.environ.get("MILLRACE_TEST_SEED", "1"))
SYMBOLS: Final = ("ETH/BTC", "BTC/USDT", "KCS/USDT", "SOL/USDT")
PUBLIC: Final = ("watchOrderBook", "watchTrades", "watchTicker", "watchBidsAsks", "watchOHLCV")
PRIVATE: Final = ("watchOrders", "watchMyTrades", "watchBalance")
DEPTHS: Final = {"binance": (None, 500), "kucoin": (None, 100)}

Settings = dict[str, Any]


class Editor:
    """Edits a gatherer's configuration at random, one thing at a time."""

    def __init__(self, dialect: DialectName, base: str, adapter: str) -> None:
        self._random = random.Random(SEED)
        self._dialect, self._base = dialect, base
        self._settings: dict[str, Settings] = {
            tenant: {
                "adapter": adapter,
                "symbols": set(SYMBOLS[:2]),
                "actions": {"watchOrderBook", "watchTrades"},
                "depth": None,
                "retention": 10_000,
                "poll": 1.0,
            }
            for tenant in ("T", "U")
        }
        self._tenants = {"T", "U"}
        self._workers = 0

    def edit(self) -> str:
        """Change one thing, and return its name."""
        kinds = ("symbols", "actions", "actions", "depth", "retention", "adapter", "poll", "tenants", "workers")
        kind = self._random.choices(kinds, weights=(8, 4, 4, 2, 2, 1, 1, 2, 1))[0]
        settings = self._settings[self._random.choice(sorted(self._tenants))]
        if kind == "symbols":
            _toggle(settings["symbols"], self._random.choice(SYMBOLS))
        elif kind == "actions":
            _toggle(settings["actions"], self._random.choice((*PUBLIC, *PRIVATE)))
        elif kind == "tenants":
            _toggle(self._tenants, self._random.choice(sorted(self._settings)))
        elif kind == "workers":
            self._workers = self._random.choice([each for each in (0, 1, 2) if each != self._workers])
        else:
            choices = {
                "depth": DEPTHS[self._dialect],
                "retention": (10_000, 5_000),
                "adapter": ("native", "ccxt"),
                "poll": (1.0, 2.0),
            }[kind]
            settings[kind] = next(each for each in choices if each != settings[kind])
        return kind

    def config(self) -> dict[str, Any]:
        """Return the configuration as it is now."""
        tenants = sorted(self._tenants)
        return {
            "agent": {"id": AGENT},
            "workers": self._workers,
            "exchanges": {tenant: {self._dialect: self._account(self._settings[tenant])} for tenant in tenants},
            "workplans": [self._plan(tenant, self._settings[tenant]) for tenant in tenants],
        }

    def _account(self, settings: Settings) -> dict[str, Any]:
        return account(self._base, adapter=settings["adapter"], delayOnFetch=settings["poll"])

    def _plan(self, tenant: str, settings: Settings) -> dict[str, Any]:
        points = [
            {"action": action, "limit": settings["depth"]} if action == "watchOrderBook" else {"action": action}
            for action in sorted(settings["actions"])
        ]
        return {
            "tenant": tenant,
            "exchangeId": self._dialect,
            "assetPairs": sorted(settings["symbols"]),
            "dataPoints": points,
            "retention": settings["retention"],
        }


def _toggle(chosen: set[str], each: str) -> None:
    """Take something in, or out unless it is the last."""
    if chosen != {each}:
        chosen ^= {each}


def units_of(config: dict[str, Any]) -> dict[str, StreamUnitConfig]:
    """The streams of a configuration, by name."""
    return dict(stream_units(GathererConfig.model_validate(config)))


class Watches:
    """A watch on each stream that was ever asked for."""

    def __init__(self, watch: Callable[..., Watch]) -> None:
        self.all: dict[str, Watch] = {}
        self._watch = watch

    def follow(self, units: dict[str, StreamUnitConfig]) -> None:
        """Follow those that are new."""
        for key, unit in units.items():
            if key not in self.all:
                name = unit.name
                self.all[key] = self._watch(name.exchange, name.action, name.symbol, name.tenant)

    async def until_live(self, keys: set[str]) -> None:
        """Wait until these are live."""
        for key in keys:
            await self.all[key].until(lambda w: w.is_live)


async def apply(bus: Bus, config: dict[str, Any]) -> None:
    """Write a configuration, and wait until every stream of it is live."""
    text = json.dumps(config)
    await bus.put_config(AGENT, text)
    units = set(units_of(config))
    await shows(
        bus,
        lambda beat: (
            beat.config_revision == revision(text.encode())
            and {unit.name for unit in beat.units} == units
            and all(unit.state == "live" for unit in beat.units)
        ),
    )


@pytest.mark.timeout(7_200 if EDITS > 20 else 120)
@pytest.mark.parametrize(("dialect", "adapter"), [("binance", "native"), ("binance", "ccxt"), ("kucoin", "ccxt")])
async def test_an_edit_disturbs_only_what_it_touches(
    bus: Bus, start: Callable[..., Any], watch: Callable[..., Watch], dialect: DialectName, adapter: str
) -> None:
    """Streams that an edit does not touch keep their epoch and stay live; those that it touches come back live."""
    async with venue(dialect) as server:
        editor, watches = Editor(dialect, server.url, adapter), Watches(watch)
        config = editor.config()
        await start(UNLIMITED)
        await apply(bus, config)
        for number in range(EDITS):
            former = units_of(config)
            watches.follow(former)
            await watches.until_live(set(former))
            before = {key: (w.epoch, w.breaks) for key, w in watches.all.items()}
            workers = config["workers"]
            kind = editor.edit()
            config = editor.config()
            await apply(bus, config)
            units = units_of(config)
            untouched = {key for key in former if former[key] == units.get(key) and config["workers"] == workers}
            disturbed = {
                key: watches.all[key].reasons[-1:]
                for key in untouched
                if (watches.all[key].epoch, watches.all[key].breaks) != before[key]
            }
            assert not disturbed, (number, kind)
            watches.follow(units)
            for key in set(units) - untouched:
                # Its reader may not have seen yet that the former writer has ended.
                epoch, _ = before.get(key, (0, 0))
                await watches.all[key].until(lambda w, epoch=epoch: w.epoch > epoch and w.is_live)
        for key, each in watches.all.items():
            if "watchOrderBook" in key:
                assert_right(each, server)
            elif "watchTrades" in key or "watchMyTrades" in key:
                ids = await trade_ids(bus, each)
                assert all(earlier < later for earlier, later in itertools.pairwise(ids)), key
