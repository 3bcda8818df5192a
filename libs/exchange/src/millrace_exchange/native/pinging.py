"""How picows asks whether a connection lives."""

from typing import Any

from picows import WSAutoPingStrategy

from millrace_exchange.native.dialect import Dialect, Endpoint


def ping_settings(dialect: Dialect, endpoint: Endpoint) -> dict[str, Any]:
    """Return the settings of picows for pings as often as an exchange wants them."""
    if dialect.ping() is None:
        strategy, ping_s = WSAutoPingStrategy.PING_WHEN_IDLE, endpoint.ping_s
    else:
        # The time that an answer may take comes on top, before the next ping.
        strategy, ping_s = WSAutoPingStrategy.PING_PERIODICALLY, endpoint.ping_s / 2
    return {
        "auto_ping_strategy": strategy,
        "auto_ping_idle_timeout": ping_s,
        "auto_ping_reply_timeout": min(endpoint.pong_s, ping_s),
    }
