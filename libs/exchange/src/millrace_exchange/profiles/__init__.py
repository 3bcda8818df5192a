"""One file an exchange, each with its `PROFILE`; see `millrace_exchange.profile` for what the fields mean.

To add an exchange, add a file here and a test of what its profile changes. An exchange without a file has the safe
default: nothing is believed that is not checked.
"""

import pkgutil
from functools import cache
from importlib import import_module

from millrace_core.names import ExchangeId
from millrace_exchange.profile import ExchangeProfile


@cache
def profiles() -> dict[ExchangeId, ExchangeProfile]:
    """Return every profile by ccxt id, under its aliases too."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found: list[ExchangeProfile] = [module.PROFILE for module in modules]
    return {exchange: profile for profile in found for exchange in (profile.exchange, *profile.aliases)}


def profile_of(exchange: ExchangeId) -> ExchangeProfile:
    """Return an exchange's profile; the safe default, under its own id, for one without."""
    return profiles().get(exchange) or ExchangeProfile(exchange=exchange)
