"""The console's pages. Each module has a `show` that builds one page for one visit."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from millrace_console.pages import (
    configuration,
    failures,
    latency,
    market,
    orders,
    overview,
    portfolio,
    redis,
    strategies,
    tenants,
)
from millrace_console.shell import PageLink
from millrace_console.visit import Visit


class Page(NamedTuple):
    """A page: its place in the navigation, and how it is built."""

    link: PageLink
    show: Callable[[Visit], Awaitable[None]]


PAGES: tuple[Page, ...] = (
    Page(PageLink("/", "Overview", "o"), overview.show),
    Page(PageLink("/market", "Market", "m"), market.show),
    Page(PageLink("/orders", "Orders", "r"), orders.show),
    Page(PageLink("/portfolio", "Portfolio", "p"), portfolio.show),
    Page(PageLink("/strategies", "Strategies", "s"), strategies.show),
    Page(PageLink("/configuration", "Configuration", "c"), configuration.show),
    Page(PageLink("/latency", "Latency", "l"), latency.show),
    Page(PageLink("/failures", "Failures", "f"), failures.show),
    Page(PageLink("/redis", "Redis", "d"), redis.show),
    Page(PageLink("/tenants", "Tenants", "t", operator_only=True), tenants.show),
)
"""In the order of the navigation."""
