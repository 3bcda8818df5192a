"""Gate.

Source: Gate's documentation, "Create an order": `text` is at most 28 characters after `t-`.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.profile import ClientOrderIds, ExchangeProfile

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("gate"),
    aliases=frozenset({ExchangeId("gateio")}),
    client_order_ids=ClientOrderIds(form="base62", prefix="t-"),
)
