"""ccxt without importing the exchanges that are not used.

`import ccxt.pro` runs three package files that import every exchange there is: 8 s and 119 MB. Here those three
packages are put in place without running their files; a name is found when it is first used.
The modules below them are ccxt's own, unchanged. Importing this module does it.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from millrace_exchange.errors import UnknownExchange, UnsupportedCcxt

CCXT_VERSION = "4.5.90"
"""The version that recording and error classification were checked against."""

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
_EXCHANGE_BASES = {
    "ccxt": "ccxt.base.exchange",
    "ccxt.async_support": "ccxt.async_support.base.exchange",
    "ccxt.pro": "ccxt.async_support.base.exchange",
}
_SHARED = ("ccxt.base.errors", "ccxt.base.decimal_to_precision", "ccxt.base.precise", "ccxt.base.types")


class LazyPackage(ModuleType):
    """One of ccxt's packages, whose names are imported when they are first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._find(name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds a submodule to its package once it is loaded, but ccxt's packages hold the exchange's class
        # under that name: `ccxt.async_support.binance` is what the streaming class inherits from.
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            value = vars(value).get(name, value)
        super().__setattr__(name, value)

    def _find(self, name: str) -> Any:
        if name == "Exchange":
            return importlib.import_module(_EXCHANGE_BASES[self.__name__]).Exchange
        if name == "exchanges":
            return sorted(path.stem for path in Path(self.__path__[0]).glob("[a-z]*.py"))
        if (Path(self.__path__[0]) / f"{name}.py").exists():
            return vars(importlib.import_module(f"{self.__name__}.{name}"))[name]
        for module in map(importlib.import_module, _SHARED):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{self.__name__} has no {name}")


def load_exchange(exchange_id: str) -> type[Any]:
    """Return ccxt's streaming class of an exchange, importing that exchange alone.

    The first takes about a second and blocks: call it in a thread.

    Raises:
        UnknownExchange: ccxt has no exchange of that id, or none with streams.
        UnsupportedCcxt: another version of ccxt is installed.
    """
    version = importlib.import_module("ccxt.base.exchange").__version__
    if version != CCXT_VERSION:
        raise UnsupportedCcxt(version, CCXT_VERSION)
    try:
        loaded = getattr(sys.modules["ccxt.pro"], exchange_id)
    except AttributeError as error:
        raise UnknownExchange(exchange_id) from error
    if not isinstance(loaded, type):
        raise UnknownExchange(exchange_id)
    return loaded


def exchange_ids() -> list[str]:
    """Return the ids of all of ccxt's exchanges, those without streams too. Imports none of them."""
    return list(sys.modules["ccxt.async_support"].exchanges)


def load_any_exchange(exchange_id: str) -> type[Any]:
    """Return ccxt's class of an exchange: the streaming one, or the one that can only be asked where there is no other.

    Raises:
        UnknownExchange: ccxt has no exchange of that id.
        UnsupportedCcxt: another version of ccxt is installed.
    """
    try:
        return load_exchange(exchange_id)
    except UnknownExchange:
        if exchange_id not in exchange_ids():
            raise
        loaded: type[Any] = getattr(sys.modules["ccxt.async_support"], exchange_id)
        return loaded


def _put_in_place(name: str) -> None:
    parent, _, child = name.rpartition(".")
    spec = PathFinder.find_spec(name, sys.modules[parent].__path__ if parent else None)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    package = module_from_spec(spec)
    package.__class__ = LazyPackage
    sys.modules[name] = package
    if parent:
        setattr(sys.modules[parent], child, package)


# If ccxt is imported already, it stays as it is.
if "ccxt" not in sys.modules:
    for _name in _PACKAGES:
        _put_in_place(_name)
importlib.import_module("ccxt.pro")
