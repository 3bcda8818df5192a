"""The first page: what a person sees who has just started the demo."""

import re

from playwright.async_api import Browser, Page, expect
from tests.console.conftest import Console


async def test_the_link_signs_in_once(console: Console, browser: Browser) -> None:
    """The demo's link leads to the overview; a second use leads to the sign-in page, which says why."""
    for title in ("Overview", "Sign in"):
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(console.link)
        await expect(page).to_have_title(re.compile(title))
        if title == "Sign in":
            await expect(page.get_by_role("alert").first).to_contain_text("was used before")
        await context.close()


async def test_the_overview_shows_agents_and_profit(page: Page) -> None:
    """Every agent of the demo, and what the example strategy earned."""
    await page.goto("/")
    for agent in ("API", "DBSYNC", "EXECUTOR", "GATHERER", "MAGICBOX"):
        await expect(page.get_by_role("link", name=agent, exact=True)).to_be_visible(timeout=30_000)
    await expect(page.get_by_role("region", name="Profit today")).to_contain_text("PingPong", timeout=60_000)


async def test_halt_and_resume(page: Page) -> None:
    """The button says what it will do, the banner says what is halted, and resuming removes it."""
    await page.goto("/?tenant=StrankaXY")
    await page.get_by_role("button", name="Halt", exact=True).click()
    await expect(page.get_by_text("no new order of StrankaXY is sent")).to_be_visible()
    await page.get_by_label("Reason").fill("a test")
    await page.get_by_role("button", name="Halt now").click()
    banner = page.get_by_text("HALTED StrankaXY")
    await expect(banner).to_contain_text("a test", timeout=10_000)
    await page.get_by_role("button", name="Resume …").click()
    await page.get_by_role("button", name="Resume", exact=True).click()
    await expect(banner).to_have_count(0, timeout=10_000)


async def test_a_chosen_theme_stays(page: Page) -> None:
    """The choice holds at once, and after the page was loaded again."""
    await page.goto("/")
    for theme, is_dark in (("Dark", True), ("Light", False)):
        await page.get_by_role("button", name="Theme and sign-in").click()
        await page.get_by_text(f"Theme: {theme}").click()
        expected = re.compile("body--dark" if is_dark else "body--light")
        await expect(page.locator("body")).to_have_class(expected)
        await page.reload()
        await expect(page.locator("body")).to_have_class(expected)


async def test_no_other_page_may_show_it_in_a_frame(page: Page) -> None:
    """A click on another page could else be led to the halt button."""
    answer = await page.goto("/")
    assert answer is not None
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
