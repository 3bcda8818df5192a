"""A gatherer that reconnects as fast as it can: `python unlimited_gatherer.py --agent-id GATHERER`.

It does nothing else differently. Within limits, and with pauses that grow, five hundred reconnects would take an hour.
"""

from millrace_core.backoff import BackoffPolicy
from millrace_exchange.native.binance import market
from millrace_exchange.native.kucoin import sockets
from millrace_exchange.profiles import profiles
from millrace_gatherer.agent import GathererAgent
from millrace_gatherer.streams import following
from millrace_service import main

_OFTEN = 1_000_000

following.RECONNECT = BackoffPolicy(first_s=0.02, limit_s=0.1)  # type: ignore[misc]
following.SUBSCRIBING_S = (0.05, 0.2)  # type: ignore[misc]
for rules in (market.RULES, sockets.RULES):
    object.__setattr__(rules, "connect_interval_s", 0.01)
    object.__setattr__(rules, "request_interval_s", 0.01)
for profile in profiles().values():
    for limit in profile.requests.limits:
        object.__setattr__(limit, "weight", _OFTEN)

main(GathererAgent)
