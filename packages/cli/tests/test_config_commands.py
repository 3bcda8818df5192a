"""`millrace config …` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.names import AgentId, Tenant
from millrace_service.encryption import decrypt, new_key, parse_key

GATHERER = AgentId("GATHERER")
SECRET = "s3cr3t-of-the-account"


@pytest.fixture
def config() -> dict[str, Any]:
    """A gatherer's configuration with a secret."""
    return {
        "agent": {"id": GATHERER},
        "exchanges": {"StrankaXY": {"kucoin": {"apiKey": "the-key-of-it", "secret": SECRET}}},
        "workplans": [
            {"tenant": "StrankaXY", "exchangeId": "kucoin", "assetPairs": ["KCS/USDT"], "dataPoints": ["watchTrades"]}
        ],
    }


@pytest.fixture
def file(tmp_path: Path, config: dict[str, Any]) -> Path:
    """The same in a file."""
    path = tmp_path / "gatherer.json"
    path.write_text(json.dumps(config))
    return path


async def _in_force(bus: Bus) -> Any:
    text = await bus.get_config(GATHERER)
    return None if text is None else json.loads(text)


async def test_a_configuration_goes_round_without_showing_its_secrets(
    terminal: Any, bus: Bus, config: Any, file: Path
) -> None:
    """What `get` prints hides the secrets, and `put` keeps those that are sent back hidden."""
    put = await terminal.type("config", "put", GATHERER, str(file), "--kind", "gatherer")
    assert put.code == 0, put.output
    got = await terminal.type("config", "get", GATHERER)
    assert SECRET not in got.output
    changed = json.loads(got.stdout)
    changed["workplans"][0]["assetPairs"].append("BTC/USDT")
    put = await terminal.type("config", "put", GATHERER, "-", "--kind", "gatherer", keys=json.dumps(changed))
    assert '+ $.workplans[0].assetPairs[1]: "BTC/USDT"' in put.output
    config["workplans"][0]["assetPairs"].append("BTC/USDT")
    assert await _in_force(bus) == config


@pytest.mark.parametrize("verb", ["put", "validate"])
async def test_every_mistake_is_printed_with_its_place_and_nothing_is_written(
    terminal: Any, bus: Bus, config: Any, file: Path, verb: str
) -> None:
    """The exit code is 1; as JSON each mistake has its path."""
    await terminal.type("tokens", "create", "--tenant", "PUBLIC", "--name", "makes the database")
    config["workplans"][0] |= {"exchangeID": "kucoin", "retention": "many"}
    config["exchanges"]["StrankaXY"]["kucoin"]["delayOnFetch"] = 0
    file.write_text(json.dumps(config))
    found = await terminal.type("config", verb, GATHERER, str(file), "--kind", "gatherer")
    assert found.code == 1
    assert "nothing was changed" in found.output
    paths = ["$.exchanges.StrankaXY.kucoin.delayOnFetch", "$.workplans[0].exchangeID", "$.workplans[0].retention"]
    assert all(f"\n  {path}: " in found.output for path in paths)
    as_json = await terminal.type("config", verb, GATHERER, str(file), "--kind", "gatherer", "--json")
    assert (as_json.code, sorted(each["path"] for each in as_json.json["problems"])) == (1, paths)
    assert await _in_force(bus) is None


async def test_a_key_that_stands_twice_is_a_mistake(terminal: Any, bus: Bus, file: Path) -> None:
    """Of two values the second would win silently."""
    file.write_text('{"agent": {"id": "GATHERER"}, "environment": "a", "environment": "b"}')
    found = await terminal.type("config", "put", GATHERER, str(file), "--kind", "gatherer")
    assert (found.code, await _in_force(bus)) == (1, None)
    assert "$.environment: duplicate key" in found.output


async def test_a_difference_is_printed_by_path(terminal: Any, bus: Bus, config: Any, file: Path) -> None:
    """Added, removed and changed values; of a secret, only that it changes. Then the units that would restart."""
    await bus.put_config(GATHERER, json.dumps(config))
    await terminal.type("tokens", "create", "--tenant", "PUBLIC", "--name", "makes the database")
    config["environment"] = "staging"
    config["exchanges"]["StrankaXY"]["kucoin"] = {"apiKey": "the-key-of-it", "secret": "another"}
    file.write_text(json.dumps(config))
    found = await terminal.type("config", "diff", GATHERER, str(file), "--kind", "gatherer")
    assert found.stdout.splitlines() == [
        '~ $.exchanges.StrankaXY.kucoin.secret: "***" → "***"',
        '+ $.environment: "staging"',
        "StrankaXY.kucoin.watchTrades.KCS/USDT restarts",
    ]
    as_json = (await terminal.type("config", "diff", GATHERER, str(file), "--json")).json
    assert (len(as_json["items"]), as_json["units"]) == (2, None)


async def test_a_plain_secret_is_encrypted_when_there_is_a_key(terminal: Any, bus: Bus, file: Path) -> None:
    """As the API does it."""
    terminal.environment["MILLRACE_SECRET_KEY"] = key = new_key()
    assert (await terminal.type("config", "put", GATHERER, str(file), "--kind", "gatherer")).code == 0
    sealed = (await _in_force(bus))["exchanges"]["StrankaXY"]["kucoin"]["secret"]
    assert decrypt(Tenant("StrankaXY"), sealed, parse_key(key)) == SECRET


async def test_one_that_is_put_back_as_it_was_shown_is_encrypted_too(terminal: Any, bus: Bus, config: Any) -> None:
    """So `get` and `put` encrypt what was written in plain text, as the doctor says."""
    await bus.put_config(GATHERER, json.dumps(config))
    terminal.environment["MILLRACE_SECRET_KEY"] = key = new_key()
    got = (await terminal.type("config", "get", GATHERER)).stdout
    put = await terminal.type("config", "put", GATHERER, "-", "--kind", "gatherer", keys=got)
    assert put.code == 0, put.output
    sealed = (await _in_force(bus))["exchanges"]["StrankaXY"]["kucoin"]["secret"]
    assert decrypt(Tenant("StrankaXY"), sealed, parse_key(key)) == SECRET


async def test_history_and_roll_back(terminal: Any, bus: Bus, config: Any, file: Path) -> None:
    """Each configuration that was put is listed, and comes back with its secrets."""
    kind = ("--kind", "gatherer")
    first = (await terminal.type("config", "put", GATHERER, str(file), *kind, "--json")).json["revision"]
    file.write_text(json.dumps(config | {"environment": "second"}))
    await terminal.type("config", "put", GATHERER, str(file), *kind)
    lines = (await terminal.type("config", "history", GATHERER)).stdout.splitlines()
    assert ["in force" in line for line in lines] == [True, False]
    assert lines[1].startswith(first)
    assert "PUBLIC/millrace config" in lines[1]
    back = await terminal.type("config", "rollback", GATHERER, first, *kind)
    assert back.code == 0, back.output
    assert await _in_force(bus) == config
    unknown = await terminal.type("config", "rollback", GATHERER, "0" * 12, *kind)
    assert (unknown.code, "no configuration with this revision" in unknown.output) == (1, True)


async def test_another_revision_in_force_is_left_alone(terminal: Any, bus: Bus, config: Any, file: Path) -> None:
    """A change may name what it was made from."""
    await bus.put_config(GATHERER, json.dumps(config))
    found = await terminal.type("config", "put", GATHERER, str(file), "--kind", "gatherer", "--if-revision", "0" * 12)
    assert found.code == 1
    assert "nothing was changed" in found.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("get", "GATHERRER"), "GATHERRER has no configuration; did you mean GATHERER?"),
        (("put", "GATHERER", "none.json"), "cannot read none.json: No such file"),
        (("put", "GATHERER", "-"), "add --kind gatherer|magicbox|"),
        (("put", "GATHERER", "-", "--kind", "gatherrer"), "there is no kind gatherrer"),
        (("history", "GATHERER"), "there is no database"),
    ],
)
async def test_what_cannot_be_done_is_one_plain_line(
    terminal: Any, bus: Bus, arguments: tuple[str, ...], says: str
) -> None:
    """It says what is wrong and what to do."""
    await bus.put_config(GATHERER, '{"agent": {"id": "GATHERER"}}')
    found = await terminal.type("config", *arguments, keys="{}")
    assert found.code == 1
    assert says in found.output
