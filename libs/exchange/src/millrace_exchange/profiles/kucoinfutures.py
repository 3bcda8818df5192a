"""KuCoin futures.

Source: KuCoin's documentation, "Orderbook - Increment".
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.profile import BookFeed, ExchangeProfile

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("kucoinfutures"),
    book=BookFeed(proof="sequence", checked_by="millrace", frame_numbers="sequence_range"),
)
