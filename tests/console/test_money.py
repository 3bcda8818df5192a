"""Portfolio and strategies: what was earned, together or apart, and what a strategy does when its settings change."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect
from tests.console.conftest import PHONE, Console, client_of
from tests.support.accessibility import faults

SLOW = 60_000
UNIT = "StrankaXY.PingPong"
STRATEGY = f"/strategies?tenant=StrankaXY&agent=MAGICBOX&strategy={UNIT}"


async def config_of(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the configuration of the strategies."""
    found: dict[str, Any] = (await client.get("agents/MAGICBOX/config")).json()
    return found


async def test_the_portfolio_shows_what_the_demo_earns(page: Page) -> None:
    """Profit and positions of the example strategy."""
    await page.goto("/portfolio?tenant=StrankaXY")
    for part in ("Profit", "Positions"):
        await expect(page.get_by_role("region", name=part, exact=True)).to_contain_text("PingPong", timeout=SLOW)
    await expect(page.get_by_role("img", name="Realised profit, cumulated")).to_be_visible()


async def test_the_choice_stays_in_the_address(page: Page) -> None:
    """What profit is separated by, and the time; a reload shows the same."""
    await page.goto("/portfolio?tenant=StrankaXY&range=7d")
    profit = page.get_by_role("region", name="Profit", exact=True)
    await expect(profit.get_by_role("columnheader", name="Strategy")).to_be_visible(timeout=SLOW)
    apart = page.get_by_role("group", name="Group by")
    await apart.get_by_role("checkbox", name="Day (UTC)").click()
    await apart.get_by_role("checkbox", name="Strategy").click()
    await expect(page).to_have_url(re.compile(r"range=7d&by=tenant&by=day$"))
    await page.reload()
    await expect(profit.get_by_role("columnheader", name="Day (UTC)")).to_be_visible(timeout=SLOW)
    await expect(profit.get_by_role("columnheader", name="Strategy")).to_have_count(0)
    await expect(page.get_by_label("Time")).to_have_value("last 7 days")


async def test_trades_of_another_strategy_are_left_out(page: Page) -> None:
    """The address names strategies; one that never traded shows nothing, and its checkbox is there."""
    await page.goto("/portfolio?tenant=StrankaXY&source=Nobody")
    strategies = page.get_by_role("group", name="Strategies")
    await expect(strategies.get_by_role("checkbox", name="Nobody")).to_be_checked(timeout=SLOW)
    await expect(page.get_by_text("No own trade fits.").first).to_be_visible(timeout=SLOW)
    await strategies.get_by_role("checkbox", name="PingPong").click()
    await expect(page.get_by_role("region", name="Profit", exact=True)).to_contain_text("PingPong", timeout=SLOW)


async def test_an_export_is_downloaded_with_the_accounts_token(page: Page, console: Console) -> None:
    """The file is the API's own; a tenant that the browser is not signed in to is refused."""
    await page.goto("/portfolio?tenant=StrankaXY")
    link = page.get_by_role("link", name="Own trades of StrankaXY as CSV")
    async with page.expect_download() as started:
        await link.click()
    file = await started.value
    assert file.suggested_filename == "StrankaXY-ownTrades.csv"
    assert "price" in (await file.path()).read_text().splitlines()[0]
    refused = await page.request.get(f"{console.url}/exports/orders?tenant=Other")
    assert refused.status == 403
    unknown = await page.request.get(f"{console.url}/exports/nothing?tenant=StrankaXY")
    assert unknown.status == 422
    assert console.tokens["StrankaXY"] not in await page.content()


async def test_a_parameter_changed_by_the_form_reaches_the_strategy(page: Page, console: Console) -> None:
    """A mistake is marked at its field; what will restart is said; then orders have the new amount."""
    async with client_of(console, "StrankaXY") as client:
        before = await config_of(client)
        await page.goto(STRATEGY)
        amount = page.get_by_label("amount *")
        await expect(amount).to_have_value("1", timeout=SLOW)
        await amount.fill("-3")
        await page.get_by_role("button", name="Save …").click()
        await expect(page.get_by_role("alert").filter(has_text="✖")).to_be_visible(timeout=SLOW)
        assert (await config_of(client))["revision"] == before["revision"]
        await amount.fill("1.25")
        await page.get_by_role("button", name="Save …").click()
        await expect(page.get_by_role("region", name="Changes")).to_contain_text("1.25", timeout=SLOW)
        await expect(page.get_by_role("region", name="Units")).to_contain_text(f"restarts{UNIT}")
        await page.get_by_role("button", name="Save now").click()
        await expect(page.get_by_text("MAGICBOX follows within moments")).to_be_visible(timeout=SLOW)
        try:
            await _orders_have(client, "1.25")
        finally:
            now = await config_of(client)
            back = await client.put(
                "agents/MAGICBOX/config", json=before["config"], headers={"If-Match": f'"{now["revision"]}"'}
            )
            assert back.status_code == 200, back.text


async def _orders_have(client: httpx.AsyncClient, amount: str) -> None:
    """Wait until the strategy has bought this amount."""
    async with asyncio.timeout(60):
        while True:
            rows = (await client.get("orders", params={"source": "PingPong", "limit": 20})).json()["items"]
            if amount in {str(each["order"]["amount"]) for each in rows}:
                return
            await asyncio.sleep(0.5)  # the API has no event for stored orders


async def test_a_strategy_is_restarted_and_the_halt_dialog_knows_it(page: Page, console: Console) -> None:
    """Both say what they will do first; a restarted unit counts anew."""
    await page.goto("/strategies?tenant=StrankaXY")
    await page.get_by_role("button", name=f"Halt {UNIT}").click(timeout=SLOW)
    await expect(page.get_by_text("no new order of StrankaXY is sent: PingPong on all exchanges")).to_be_visible()
    await page.get_by_role("button", name="Leave as it is").click()
    async with client_of(console, "StrankaXY") as client:
        before = await _since(client)
        await page.get_by_role("button", name=f"Restart {UNIT}").click()
        await page.get_by_role("button", name="Restart now").click()
        await expect(page.get_by_text(f"{UNIT} is restarted")).to_be_visible(timeout=SLOW)
        async with asyncio.timeout(60):
            while await _since(client) in (before, None):
                await asyncio.sleep(0.5)  # the heartbeat comes each 5 s


async def test_one_strategy_is_stopped_and_started(page: Page, console: Console) -> None:
    """What will happen is said first; the list shows it, and the strategy runs again."""
    await page.goto("/strategies?tenant=StrankaXY")
    async with client_of(console, "StrankaXY") as client:
        for verb, shown in (("Stop", "■ stopped"), ("Start", "● live")):
            await page.get_by_role("button", name=f"{verb} {UNIT}").click(timeout=SLOW)
            await expect(page.get_by_role("dialog")).to_contain_text(f"{verb} {UNIT}", timeout=SLOW)
            await page.get_by_role("button", name=f"{verb} now").click()
            await expect(page.get_by_role("region", name="Strategies", exact=True)).to_contain_text(shown, timeout=SLOW)
            async with asyncio.timeout(60):
                while (await _since(client) is None) != (verb == "Stop"):
                    await asyncio.sleep(0.5)  # the heartbeat comes each 5 s


async def _since(client: httpx.AsyncClient) -> int | None:
    agents = (await client.get("agents")).json()["items"]
    found = [unit["since"] for each in agents for unit in each["units"] if unit["name"] == UNIT]
    return found[0] if found else None


async def test_a_strategy_shows_its_times(page: Page) -> None:
    """How long each of its hooks took, and what it plots."""
    await page.goto(STRATEGY)
    times = page.get_by_role("region", name="Time per event", exact=True)
    await expect(times).to_contain_text("on_order_book", timeout=SLOW)
    plots = page.get_by_role("img", name=f"Plots of {UNIT}")
    await expect(plots).to_contain_text("held", timeout=SLOW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_form_with_a_mistake_is_accessible(page: Page, scheme: Any) -> None:
    """No serious fault, by axe's rules, and nothing wider than a phone."""
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme)
    await page.goto(STRATEGY)
    amount = page.get_by_label("amount *")
    await expect(amount).to_have_value("1", timeout=SLOW)
    await amount.fill("much")
    await page.get_by_role("button", name="Save …").click()
    await expect(page.get_by_text("✖ a number is expected")).to_be_visible(timeout=SLOW)
    # The mistake fades in where the hint was.
    await expect(page.locator(".q-field--error").get_by_text("number > 0")).to_have_count(0)
    assert await faults(page) == []


async def test_balances_are_shown_with_their_value(page: Page) -> None:
    """Equity is valued each minute, so this comes last: by now it was."""
    await page.goto("/portfolio?tenant=StrankaXY")
    balances = page.get_by_role("region", name="Balances", exact=True)
    await expect(balances.get_by_role("row").filter(has_text="KCS")).to_contain_text("USDT", timeout=2 * SLOW)
    await expect(page.get_by_role("img", name="Equity")).to_be_visible(timeout=SLOW)
