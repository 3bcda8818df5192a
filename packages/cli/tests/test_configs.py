import json
import shutil
from pathlib import Path

import pytest

from millrace_cli import configs
from millrace_core.errors import ConfigInvalid


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the examples that a test may spoil."""
    for file in configs.examples_folder().glob("*.json"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_the_examples_are_valid_and_pointed_at_this_runs_exchange(examples: Path) -> None:
    """Whatever port the simulated exchange got, every account of the examples reaches it."""
    loaded = configs.load(examples, "http://127.0.0.1:1234")
    texts = {agent.kind: agent.text for agent in loaded}
    assert {"gatherer", "magicbox", "executor"} <= set(texts)
    assert configs.EXAMPLE_SIMULATOR not in "".join(texts.values())
    assert "http://127.0.0.1:1234" in texts["gatherer"]


def test_the_examples_trade_on_any_exchange_that_is_simulated(examples: Path) -> None:
    """Its name stands wherever the examples' own does, and every file is still valid."""
    loaded = configs.load(examples, "http://127.0.0.1:1234", "kucoin")
    texts = "".join(agent.text for agent in loaded)
    assert configs.EXAMPLE_EXCHANGE not in texts
    assert "stream.PUBLIC.kucoin.watchTrades.*" in texts


def test_a_mistake_names_its_file_and_place(examples: Path) -> None:
    """The message names the file and the path of a mistake in a changed example."""
    path = examples / "executor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    with pytest.raises(ConfigInvalid, match=r"executor\.json \$\.colour"):
        configs.load(examples, "http://127.0.0.1:1234")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """An empty folder is a different error from a broken file."""
    with pytest.raises(configs.ExamplesMissing, match=r"gatherer\.json"):
        configs.load(tmp_path, "http://127.0.0.1:1234")
