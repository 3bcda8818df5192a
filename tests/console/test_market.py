"""The Market page in a browser: what moves, and what stays."""

import re

from playwright.async_api import Page, expect

OWN = "StrankaXY.binance.KCS/USDT"
SHARED = "PUBLIC.binance.BTC/USDT"


async def test_books_move_and_own_orders_and_fills_are_drawn(page: Page) -> None:
    """Two symbols side by side, each live, with the marks of what the example strategy does."""
    await page.goto(f"/market?market={OWN}&market={SHARED}")
    for symbol in ("KCS/USDT", "BTC/USDT"):
        market = page.get_by_label(re.compile(f"^{symbol} · binance"))
        await expect(market.get_by_role("status").first).to_contain_text("live", timeout=30_000)
        book = market.get_by_label(re.compile("^Order book"))
        for _ in range(5):
            shown = await book.inner_text()
            await expect(book).not_to_have_text(shown, use_inner_text=True, timeout=30_000)
        await expect(book.locator("tr.ask")).to_have_count(12)
        await expect(book.locator("tr.bid")).to_have_count(12)
        await expect(market.get_by_label(re.compile("^Trades")).locator("tbody tr")).not_to_have_count(0)
        await expect(market.get_by_label(re.compile("^Depth from"))).to_be_visible()
    own = page.get_by_label(re.compile("^KCS/USDT · binance"))
    await expect(own.get_by_text("◆").first).to_be_visible(timeout=30_000)
    # The chart is drawn with the theme's own colours: a fill is the only filled path in the colour of a purchase.
    await expect(own.locator('svg path[fill="var(--up)"]').first).to_be_visible(timeout=30_000)


async def test_a_reload_keeps_the_place(page: Page) -> None:
    """Symbols, grouping and interval stand in the address, and the address in the controls."""
    await page.goto(f"/market?market={OWN}")
    await page.get_by_label("A row holds").click()
    await page.get_by_role("option", name="10 ticks", exact=True).click()
    await expect(page).to_have_url(re.compile("group=10"))
    await page.get_by_label("Candles", exact=True).click()
    await page.get_by_role("option", name="5s", exact=True).click()
    await expect(page).to_have_url(re.compile("interval=5s"))
    address = page.url
    await page.reload()
    assert page.url == address
    await expect(page.get_by_text("5s (UTC), built from stored trades")).to_be_visible(timeout=30_000)
    prices = page.get_by_label(re.compile("^Order book")).locator("tr.bid td:first-child")
    await expect(prices.first).to_have_text(re.compile(r"\.\d\d0$"), timeout=30_000)


async def test_a_market_that_nobody_streams_says_so(page: Page) -> None:
    """It is not shown as an empty, live book."""
    await page.goto("/market?market=PUBLIC.binance.NO/SUCH")
    market = page.get_by_label(re.compile("^NO/SUCH"))
    await expect(market.get_by_text("no writer").first).to_be_visible(timeout=30_000)
