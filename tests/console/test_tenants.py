"""The operator's tenants in the console, and the browser of Redis."""

import re

from playwright.async_api import Page, expect
from tests.console.conftest import Console
from tests.console.test_configuration import config_of, unit_is_live

NAME = "Newcomer"


async def test_a_tenant_is_added_streams_and_is_stopped(console: Console, page: Page) -> None:
    """One form writes all configurations and makes a token; stopping takes it out again, and revokes the token."""
    before = await config_of(console, "GATHERER")
    base = before["config"]["exchanges"]["PUBLIC"]["binance"]["urls"]["base"]
    await page.goto("/tenants")
    await page.get_by_role("button", name="Add a tenant …").click()
    fields = {"Tenant": NAME, "Symbols": "BNB/USDT", "API key": "demo-key", "Secret": "demo-secret"}
    for label, value in (fields | {"Address of a simulated exchange": base}).items():
        await page.get_by_role("dialog").get_by_label(label, exact=True).fill(value)
    await page.get_by_role("button", name="Show what will be written").click()
    plan = page.get_by_role("dialog").filter(has_text=f"Add {NAME}")
    await expect(plan).to_contain_text(f"{NAME}.binance.watchOrderBook.BNB/USDT", timeout=20_000)
    assert "demo-secret" not in await plan.inner_text()
    await page.get_by_role("button", name="Write these and create the token").click()
    token = page.get_by_role("textbox", name="Token", exact=True)
    await expect(token).to_have_value(re.compile("mr_.+"), timeout=30_000)
    await page.get_by_role("button", name="I have kept it").click()
    await unit_is_live(console, "GATHERER", f"{NAME}.binance.watchOrderBook.BNB/USDT")
    await page.get_by_role("link", name=NAME, exact=True).click()
    await expect(page.get_by_text(f"{NAME} admin (admin)")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Stop it …").click()
    await expect(page.get_by_role("dialog")).to_contain_text("■ stops", timeout=20_000)
    await page.get_by_role("button", name="Stop it now").click()
    await expect(page.get_by_text(f"{NAME} is stopped")).to_be_visible(timeout=30_000)
    assert (await config_of(console, "GATHERER"))["config"] == before["config"]
    await expect(page.get_by_text(f"{NAME} admin (admin)")).to_have_count(0, timeout=20_000)


async def test_a_stream_is_found_and_its_newest_message_read(page: Page) -> None:
    """The search and the name stand in the address."""
    await page.goto("/redis?tenant=StrankaXY")
    await page.get_by_label("Names with this text").fill("watchTrades.ETH/BTC")
    await expect(page.get_by_role("region", name="Names").get_by_role("link")).to_have_count(2, timeout=20_000)
    link = page.get_by_role("link", name="stream.PUBLIC.binance.watchTrades.ETH/BTC", exact=True)
    await link.click(timeout=20_000)
    content = page.get_by_role("region", name="Content")
    await expect(content).to_contain_text('"symbol":"ETH/BTC"', timeout=20_000)
    assert "name=stream.PUBLIC" in page.url
    assert "contains=watchTrades" in page.url
