"""A token that is revoked while pages are open in its name."""

import re

from playwright.async_api import Browser, expect
from tests.console.conftest import Console, signed_in
from tests.console.test_configuration import operator

TENANT = "StrankaXY"


async def test_a_revoked_token_ends_the_pages_that_it_opened(console: Console, browser: Browser) -> None:
    """What they show is gone within some seconds, and the cookie is worth nothing."""
    async with operator(console) as client:
        made = (await client.post(f"tokens?tenant={TENANT}", json={"name": "lost", "role": "read"})).json()
        async with signed_in(browser, console.url, made["token"]) as page:
            await page.goto("/market")
            await expect(page.get_by_role("main")).to_contain_text("KCS/USDT", timeout=30_000)
            cookies = await page.context.cookies()
            await client.delete(f"tokens/{made['id']}?tenant={TENANT}")
            await expect(page).to_have_url(re.compile("/sign-in"), timeout=10_000)
            assert "KCS/USDT" not in await page.get_by_role("main").inner_text()
            await page.context.add_cookies(cookies)
            await page.goto("/orders")
            await expect(page).to_have_url(re.compile("/sign-in"), timeout=10_000)
