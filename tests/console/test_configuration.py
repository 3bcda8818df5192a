"""Configurations in the console: mistakes at their place, what will restart, saving, history, and what follows."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect
from tests.console.conftest import Console
from tests.support.accessibility import faults
from tests.support.platform import ROOT

EXAMPLE = (Path(ROOT) / "examples" / "gatherer.json").read_text()
NEW = "XRP/USDT"


async def write(page: Page, text: str) -> None:
    """Replace the editor's text, as pasting does."""
    await page.get_by_role("textbox", name="as JSON").click()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Delete")
    await page.keyboard.insert_text(text)


def operator(console: Console) -> httpx.AsyncClient:
    """Return the API as the operator uses it."""
    headers = {"Authorization": f"Bearer {console.tokens['PUBLIC']}"}
    return httpx.AsyncClient(base_url=console.api_url, headers=headers, timeout=20)


async def config_of(console: Console, agent: str) -> dict[str, Any]:
    """Return a configuration in force."""
    async with operator(console) as client:
        found: dict[str, Any] = (await client.get(f"agents/{agent}/config")).json()
    return found


async def unit_is_live(console: Console, agent: str, unit: str) -> None:
    """Wait until an agent says of a unit that it is live."""
    async with operator(console) as client, asyncio.timeout(90):
        while True:
            agents = (await client.get("agents")).json()["items"]
            units = {each["name"]: each["state"] for one in agents if one["id"] == agent for each in one["units"]}
            if units.get(unit) == "live":
                return
            await asyncio.sleep(0.5)  # the API has no event for one unit


async def test_five_mistakes_are_five_marks_and_nothing_changes(console: Console, page: Page) -> None:
    """Each mistake is marked in the text and listed with its path; saving is not possible."""
    before = await config_of(console, "GATHERER")
    wrong = json.loads(EXAMPLE)
    wrong["agent"]["status"] = "running"
    wrong["enviroment"] = "demo"
    wrong["workplans"][0]["retention"] = 5
    del wrong["workplans"][1]["exchangeId"]
    wrong["workplans"][0]["dataPoints"] = ["watchOrderbook"]
    await page.goto("/configuration?agent=GATHERER")
    await write(page, json.dumps(wrong, indent=2))
    await expect(page.get_by_text("✖ 5 mistakes; nothing that runs has changed")).to_be_visible(timeout=20_000)
    places = {
        "$.agent.status": '"status": "running"',
        "$.enviroment": '"enviroment": "demo"',
        "$.workplans[0].retention": '"retention": 5',
        "$.workplans[1].exchangeId": "{",
        "$.workplans[0].dataPoints[0]": '"watchOrderbook"',
    }
    for path, shown in places.items():
        await page.get_by_role("button", name=path).click()
        marked = page.locator(".cm-line", has=page.locator(".mistake")).filter(has_text=shown)
        await expect(marked.first).to_be_in_viewport()
    await expect(page.get_by_role("button", name="Save …")).to_be_disabled()
    assert await config_of(console, "GATHERER") == before
    await page.get_by_role("button", name="Discard changes").click()
    await expect(page.get_by_text("✔ As saved")).to_be_visible(timeout=20_000)


async def test_a_pasted_example_with_a_new_symbol_streams(console: Console, page: Page) -> None:
    """The services follow what is saved; a draft survives a reload; rolling back ends the new streams."""
    present = await config_of(console, "GATHERER")
    base = present["config"]["exchanges"]["PUBLIC"]["binance"]["urls"]["base"]
    example = EXAMPLE.replace("http://127.0.0.1:9080", base).replace('"ETH/BTC",', f'"ETH/BTC", "{NEW}",')
    await page.goto("/configuration?agent=GATHERER")
    await write(page, example)
    await expect(page.get_by_text("✔ No mistakes; not saved yet")).to_be_visible(timeout=20_000)
    await page.reload()
    await expect(page.get_by_text("✔ No mistakes; not saved yet")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Save …").click()
    starts = page.get_by_role("region", name="Units")
    await expect(starts).to_contain_text(f"PUBLIC.binance.watchOrderBook.{NEW}", timeout=20_000)
    await expect(starts).not_to_contain_text("stops")
    await page.get_by_role("button", name="Save now").click()
    await unit_is_live(console, "GATHERER", f"PUBLIC.binance.watchOrderBook.{NEW}")
    await expect(page.get_by_role("region", name="In force")).to_contain_text("✔ in force", timeout=20_000)
    assert "demo-secret" not in await page.content()

    await page.get_by_role("button", name="History").click()
    await page.get_by_role("button", name=present["revision"]).first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("■ stops", timeout=20_000)
    await page.get_by_role("button", name=f"Roll back to {present['revision']} now").click()
    await expect(page.get_by_text(f"Rolled back to {present['revision']}")).to_be_visible(timeout=20_000)
    # The history keeps secrets encrypted: the configuration is what it was, its text is not.
    assert (await config_of(console, "GATHERER"))["config"] == present["config"]


async def test_what_another_changed_meanwhile_is_shown(console: Console, page: Page) -> None:
    """A change between reading and saving is not overwritten: it is shown, and the text is kept."""
    await page.goto("/configuration?agent=DBSYNC")
    found = await config_of(console, "DBSYNC")
    mine = found["config"] | {"warnAtPercent": 60}
    await write(page, json.dumps(mine, indent=2))
    await expect(page.get_by_text("✔ No mistakes; not saved yet")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Save …").click()
    theirs = found["config"] | {"warnAtPercent": 40}
    async with operator(console) as client:
        put = await client.put("agents/DBSYNC/config", json=theirs, headers={"If-Match": f'"{found["revision"]}"'})
        assert put.status_code == 200, put.text
    await page.get_by_role("button", name="Save now").click()
    await expect(page.get_by_text("NOT saved: somebody changed it meanwhile")).to_be_visible(timeout=20_000)
    await expect(page.get_by_role("region", name="Changed meanwhile")).to_contain_text("$.warnAtPercent")
    await page.get_by_role("button", name="Keep my text").click()
    assert '"warnAtPercent": 60' in await page.locator(".cm-content").inner_text()
    assert (await config_of(console, "DBSYNC"))["config"]["warnAtPercent"] == 40
    await page.get_by_role("button", name="Discard changes").click()


async def test_the_schema_completes(page: Page) -> None:
    """A key is offered where it fits, and inserted with its quotes."""
    await page.goto("/configuration?agent=EXECUTOR")
    await write(page, "")
    await page.keyboard.type('{"agent": {"id": "EXECUTOR", "sta')
    await expect(page.get_by_role("option", name="status")).to_be_visible(timeout=20_000)
    await page.get_by_role("option", name="status").click()
    await page.keyboard.type('"')
    await expect(page.get_by_role("option", name="stopped")).to_be_visible(timeout=20_000)
    await page.keyboard.press("Escape")
    await expect(page.locator(".cm-content")).to_contain_text('"status": "', timeout=20_000)
    await write(page, "{}")
    await page.get_by_role("button", name="Discard changes").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_marked_mistake_is_accessible(page: Page, scheme: Any) -> None:
    """No serious fault, by axe's rules, in the editor while it shows a mistake."""
    await page.emulate_media(color_scheme=scheme)
    await page.goto("/configuration?agent=API")
    await write(page, '{"agent": {"id": "API"}, "burst": 0}')
    await expect(page.get_by_text("✖ 1 mistake;")).to_be_visible(timeout=20_000)
    assert await faults(page) == []
    await page.get_by_role("button", name="Discard changes").click()


async def test_what_is_typed_in_the_editor_opens_no_page(page: Page) -> None:
    """`g` and a letter are keys of the page only outside of the editor; `h` opens the halt dialog, Escape closes it."""
    await page.goto("/configuration?agent=GATHERER")
    editor = page.get_by_role("textbox", name="as JSON")
    await editor.click()
    await page.keyboard.type("gmh")
    await expect(editor).to_contain_text("gmh")
    dialog = page.get_by_role("dialog", name="Halt trading")
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Discard changes").click()
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("h")
    await expect(dialog).to_be_visible()
    assert "/configuration" in page.url
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("g")
    await page.keyboard.press("m")
    await expect(page).to_have_url(re.compile("/market"))
