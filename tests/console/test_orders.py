"""The Orders page in a browser: placed, edited, canceled, and understood."""

import asyncio
import re
from typing import Any

import httpx
from playwright.async_api import Page, expect
from tests.console.conftest import Console, client_of

from millrace_console.pages.orders.listing import PAGE

NOT_FILLED = "11.500"
"""Far below the market."""


async def _fill_in(page: Page, amount: str, price: str) -> None:
    await page.get_by_role("button", name="Place an order").click()
    await page.get_by_label("Amount").fill(amount)
    await page.get_by_label("Price").fill(price)
    await page.get_by_role("button", name="Check …").click()


async def test_an_order_is_placed_edited_read_and_canceled(page: Page) -> None:
    """Each step repeats in words what will happen; pressed twice, one order is placed; its waterfall can be read."""
    await page.goto("/orders?tenant=StrankaXY&symbol=KCS/USDT&status=open")
    await _fill_in(page, "2", NOT_FILLED + "1")
    form = page.get_by_role("dialog", name="Place an order")
    await expect(form.get_by_text(re.compile("The exchange takes prices in steps of 0.001"))).to_be_visible()
    await form.get_by_role("button", name="Check …").click()
    await expect(form.get_by_role("alert")).to_contain_text("the tick of KCS/USDT is 0.001")
    await form.get_by_role("button", name=f"Use 2 at {NOT_FILLED}").click()
    await expect(form.get_by_label("Price")).to_have_value(NOT_FILLED)
    await form.get_by_role("button", name="Check …").click()
    confirmation = page.get_by_role("dialog", name="Place the order")
    await expect(confirmation.get_by_text("Buy 2 KCS on binance for StrankaXY for at most 11.500 USDT")).to_be_visible()
    await page.get_by_role("button", name="Place the order").dblclick()
    done = page.get_by_text(re.compile(r"Done: order \d+ is open"))
    await expect(done).to_be_visible(timeout=30_000)
    order = re.findall(r"order (\d+)", await done.inner_text())[0]
    await page.get_by_role("button", name="Close").last.click()
    table = page.get_by_role("region", name="Orders")
    await expect(table.get_by_role("link", name=order)).to_be_visible(timeout=30_000)
    await expect(table.locator("tr", has_text="11.5")).to_have_count(1)

    await page.get_by_role("button", name=f"Edit order {order}").click()
    await page.get_by_label("Price").fill("11.400")
    await page.get_by_role("button", name="Check …").click()
    await expect(
        page.get_by_text(re.compile(f"Change order {order} from 2 KCS at 11.5 USDT to 2 KCS at 11.400"))
    ).to_be_visible()
    await page.get_by_role("button", name="Change the order").click()
    changed = page.get_by_text(re.compile(r"Done: order \d+ is open"))
    await expect(changed).to_be_visible(timeout=30_000)
    order = re.findall(r"order (\d+)", await changed.inner_text())[0]
    await page.get_by_role("button", name="Close").last.click()

    await table.get_by_role("link", name=order).click(timeout=30_000)
    await expect(page.get_by_role("region", name="What happened")).to_contain_text("request", timeout=30_000)
    waterfall = page.get_by_role("region", name=re.compile(": done$")).last
    await expect(waterfall.get_by_role("row", name=re.compile("exchange answers"))).to_contain_text("ms")
    await expect(waterfall.locator("td.picture i").first).to_be_visible()
    address = page.url
    await page.reload()
    assert page.url == address

    await page.get_by_role("button", name="Cancel …").click(timeout=30_000)
    await expect(page.get_by_text(f"Cancel order {order} of StrankaXY on binance")).to_be_visible()
    await page.get_by_role("button", name="Cancel the order").click()
    await expect(page.get_by_text(f"Done: order {order} is canceled")).to_be_visible(timeout=30_000)


async def test_all_orders_of_a_market_are_canceled(page: Page) -> None:
    """The form begins with the list's filters; the confirmation says what will happen, the answer what did."""
    await page.goto("/orders?tenant=StrankaXY&exchange=binance&symbol=ETH/BTC")
    await page.get_by_role("button", name="Cancel all …").click()
    await page.get_by_role("button", name="Check …").click()
    confirmation = page.get_by_role("dialog", name="Cancel all orders").last
    await expect(confirmation).to_contain_text("every open order of StrankaXY on binance for ETH/BTC (0 open now)")
    await confirmation.get_by_role("button", name="Cancel all orders").click()
    await expect(page.get_by_text(re.compile("Done: 0 orders are canceled"))).to_be_visible(timeout=30_000)


async def test_the_orders_of_one_source_are_canceled_and_no_others(page: Page, console: Console) -> None:
    """The confirmation names how many; those of another source stay open."""
    async with client_of(console, "StrankaXY") as api:
        for source in ("Mine", "Mine", "Other"):
            await placed(api, source, price=11.5)
        await stored(api, "Mine", 2)
        await page.goto("/orders?tenant=StrankaXY&exchange=binance&source=Mine")
        await page.get_by_role("button", name="Cancel all …").click()
        await page.get_by_role("button", name="Check …").click()
        confirmation = page.get_by_role("dialog", name="Cancel the orders of a source")
        await expect(confirmation).to_contain_text("Cancel 2 open orders of Mine for StrankaXY: KCS/USDT on binance.")
        await confirmation.get_by_role("button", name="Cancel 2 orders").click()
        await expect(confirmation).to_contain_text("Done: 2 orders canceled", timeout=30_000)
        await stored(api, "Mine", 0)
        await stored(api, "Other", 1)
        await api.delete("orders", params={"exchange": "binance"})


async def placed(api: httpx.AsyncClient, source: str, **terms: Any) -> None:
    """Buy 1 KCS for a source."""
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "orderSource": source}
    answer = (await api.post("orders", json={"exchangeId": "binance", "payload": payload | terms})).json()
    assert answer["status"] == "done", answer


async def stored(api: httpx.AsyncClient, source: str, count: int) -> None:
    """Wait until the database shows so many open orders of a source."""
    async with asyncio.timeout(60):
        while len((await api.get("orders", params={"source": source, "status": "open"})).json()["items"]) != count:
            await asyncio.sleep(0.1)  # the API has no event for what is stored


async def test_mistakes_are_marked_and_nothing_is_sent(page: Page) -> None:
    """The form stays as it was typed."""
    await page.goto("/orders?tenant=StrankaXY")
    await _fill_in(page, "much", "")
    problems = page.get_by_role("alert").filter(has_text="✖")
    await expect(problems).to_contain_text("Amount: 'much' is not a number")
    await expect(problems).to_contain_text("Price is missing")
    await expect(page.get_by_role("button", name="Place the order")).to_have_count(0)


async def test_a_refusal_shows_the_apis_own_words(page: Page) -> None:
    """The risk limits of the demo allow 10,000 an order."""
    await page.goto("/orders?tenant=StrankaXY&symbol=KCS/USDT")
    await _fill_in(page, "1000", "11")
    await page.get_by_role("button", name="Place the order").click()
    await expect(page.get_by_text(re.compile("Not done: rejected: RiskRefused: .*10000"))).to_be_visible(timeout=30_000)


async def test_filters_and_pages_stand_in_the_address(page: Page, console: Console) -> None:
    """A reload and the way back lead to the same rows."""
    async with client_of(console, "StrankaXY") as api:
        for _ in range(PAGE + 1):
            await placed(api, "Filters", price=20, timeInForce="IOC")
            await asyncio.sleep(0.03)  # the demo's limits allow 50 a second
    await page.goto("/orders?tenant=StrankaXY&status=closed")
    table = page.get_by_role("region", name="Orders")
    await expect(table.locator("tbody tr").first).to_contain_text("closed", timeout=60_000)
    source = page.get_by_label("Source")
    await source.fill("Nobody")
    await source.press("Enter")
    await expect(page).to_have_url(re.compile("source=Nobody"))
    await expect(page.get_by_text("No order matches.")).to_be_visible(timeout=30_000)
    await page.reload()
    await expect(page.get_by_text("No order matches.")).to_be_visible(timeout=30_000)
    await source.fill("Filters")
    await source.press("Enter")
    await expect(table.locator("tbody tr").first).to_contain_text("Filters", timeout=30_000)
    await page.get_by_role("link", name="Older").click(timeout=60_000)
    await expect(page).to_have_url(re.compile(r"before=\d+"))
    await expect(page.get_by_text(re.compile("^before .* UTC$"))).to_be_visible(timeout=30_000)
    first = await table.locator("tbody tr").first.inner_text()
    await page.reload()
    await expect(table.locator("tbody tr").first).to_have_text(first, use_inner_text=True, timeout=30_000)
