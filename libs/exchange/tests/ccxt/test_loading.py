import subprocess
import sys

import pytest

from millrace_exchange import UnknownExchange
from millrace_exchange.ccxt.loading import load_exchange

PROGRAM = """
import sys
from pathlib import Path
from millrace_exchange.ccxt.loading import load_exchange
load_exchange("binance")
import ccxt.pro
assert ccxt.NetworkError is ccxt.pro.NetworkError
assert "kucoin" in ccxt.pro.exchanges
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmRSS"].split()[0]) // 1024, "ccxt.kraken" in sys.modules)
"""


def test_only_the_exchange_asked_for_is_imported() -> None:
    """A fresh process that opens one exchange stays far below the size of all of them."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    megabytes, kraken = done.stdout.split()
    assert int(megabytes) <= 85
    assert kraken == "False"


def test_an_exchange_that_inherits_from_another_is_loaded_with_it() -> None:
    """Classes inherit from ccxt's own REST classes, found under the packages that were put in place."""
    bequant = load_exchange("bequant")
    assert [base.__module__ for base in bequant.__mro__[:2]] == ["ccxt.pro.bequant", "ccxt.pro.hitbtc"]


@pytest.mark.parametrize("exchange", ["nonesuch", "base", "exchanges", "btcmarketz"])
def test_what_is_no_exchange_is_refused(exchange: str) -> None:
    """A misspelt id is told as such."""
    with pytest.raises(UnknownExchange, match=exchange):
        load_exchange(exchange)
