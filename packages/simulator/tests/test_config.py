import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millrace_simulator.config import ConfigError, default_config, load

SYMBOL = {
    "symbol": "AB",
    "base": "A",
    "quote": "B",
    "tickSize": "0.1",
    "lotSize": "0.01",
    "openingPrice": "10.0",
}


def _file(folder: Path, content: object) -> Path:
    path = folder / "simulator.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_an_empty_file_is_the_built_in_exchange(tmp_path: Path) -> None:
    """What a file leaves out has its default: eight symbols and a demo account."""
    config = load(_file(tmp_path, {}))
    assert config == default_config()
    assert {"KCSUSDT", "ETHBTC", "ETHUSDT", "BTCUSDT"} <= {rules.symbol for rules in config.symbols}
    assert len(config.symbols) == 8
    assert [account.api_key for account in config.accounts] == ["demo-key"]


def test_a_file_says_everything_in_camel_case(tmp_path: Path) -> None:
    """Symbols, accounts with exact balances, limits and speeds are taken from the file."""
    account = {"apiKey": "k", "secret": "s", "balances": {"B": "0.1"}, "makerRate": "0"}
    content = {
        "seed": 7,
        "eventsPerSecond": 50,
        "depthIntervalMs": 20,
        "symbols": [SYMBOL],
        "accounts": [account],
        "limits": {"enforce": False},
    }
    config = load(_file(tmp_path, content))
    assert (config.seed, config.events_per_second, config.depth_interval_ms) == (7, 50, 20)
    assert config.symbols[0].tick_size == Decimal("0.1")
    assert config.accounts[0].balances == {"B": Decimal("0.1")}
    assert not config.limits.enforce


def test_a_dialect_brings_its_symbols(tmp_path: Path) -> None:
    """Chosen in the file, or by the caller before the file; symbols of one's own stay."""
    assert load(_file(tmp_path, {"dialect": "kucoin"})) == default_config("kucoin")
    chosen = load(_file(tmp_path, {"seed": 3}), "kucoin")
    assert (chosen.dialect, chosen.seed) == ("kucoin", 3)
    assert [rules.symbol for rules in chosen.symbols if rules.base == "KCS"] == ["KCS-USDT"]
    own = load(_file(tmp_path, {"symbols": [SYMBOL]}), "kucoin")
    assert [rules.symbol for rules in own.symbols] == ["AB"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"sed": 1}, "sed"),
        ({"symbols": [SYMBOL | {"tickSize": "zero"}]}, "$.symbols[0].tickSize"),
        ({"symbols": [SYMBOL | {"tickSize": "0"}]}, "$.symbols[0]"),
        ({"symbols": [SYMBOL | {"openingPrice": "10.05"}]}, "$.symbols[0]"),
        ({"symbols": [SYMBOL, SYMBOL]}, "$.symbols[1]"),
        ({"accounts": [{"apiKey": "k"}]}, "$.accounts[0]"),
        ({"accounts": [{"apiKey": "k", "secret": "s"}] * 2}, "$.accounts[1].apiKey"),
        ({"dialect": "kraken"}, "$.dialect"),
        ({"dialect": "kucoin", "accounts": [{"apiKey": "k", "secret": "s"}]}, "$.accounts[0]"),
        ({"eventsPerSecond": -1}, "eventsPerSecond"),
        ("{", "simulator.json"),
    ],
)
def test_an_error_names_the_file_and_the_place(tmp_path: Path, content: Any, place: str) -> None:
    """Whatever is wrong, the message says in which file and where in it."""
    path = _file(tmp_path, content)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(path) in str(error.value)
    assert place in str(error.value)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    """An unreadable file is reported like one with mistakes."""
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        load(tmp_path / "nowhere.json")
