import re

import pytest
from typer.testing import CliRunner

from millrace_cli.main import app


def printed(*arguments: str, width: int = 80) -> str:
    result = CliRunner().invoke(app, ["exchanges", *arguments], env={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_exchange_has_a_row_that_fits_a_small_terminal() -> None:
    """Those that can only be asked too."""
    rows = printed().splitlines()
    assert max(map(len, rows)) <= 80
    (kucoin,) = [row for row in rows if row.startswith("kucoin ")]
    assert kucoin.count("●") == 9
    assert kucoin.rstrip().endswith("sequence")
    (bitso,) = [row for row in rows if row.startswith("bitso ")]
    assert (bitso.count("●"), bitso.count("○") > 3) == (0, True)
    assert len([row for row in rows if re.search("[●○]", row)]) > 100


def test_one_exchange_in_detail() -> None:
    """What it streams, what it can only be asked for, and what orders may have."""
    text = " ".join(printed("kucoin").split())
    for fact in (
        "books proved by sequence",
        "fetch OpenInterest",
        "missing Liquidations",
        "timeInForce.IOC",
        "4000 in 30 s",
    ):
        assert fact in text


@pytest.mark.parametrize(("typed", "meant"), [("kucoim", "kucoin"), ("Binance", "binance")])
def test_an_unknown_exchange_is_one_plain_line(typed: str, meant: str) -> None:
    """It names those that are near."""
    result = CliRunner().invoke(app, ["exchanges", typed])
    assert result.exit_code == 1
    assert f"did you mean {meant}" in result.output
