"""The page of a backtest in a real browser, opened from its folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
from tests.console.conftest import DESKTOP, PHONE
from tests.support.accessibility import faults
from tests.support.random_backtest import backtested

from millrace_backtest.outputs import REPORT, write_report
from millrace_backtest.result import result_of

OF_MARKET = ["Price and own fills", "Position", "Slippage"]
PLOTS = {"Profit in USDT": ["Equity", "Drawdown"], "binance KCS/USDT": OF_MARKET, "kucoin KCS/USDT": OF_MARKET}


async def written(folder: Path) -> Path:
    """Write the page of three strategies in two markets, compared with another latency."""
    backtest, _ = await backtested(folder / "market.jsonl.gz", 90)
    result = result_of(backtest, ["market.jsonl.gz"])
    write_report(folder, backtest, result, [("5:40", result), ("20", result)])
    return folder / REPORT


@asynccontextmanager
async def opened(browser: Browser, report: Path, found: list[str], **options: Any) -> AsyncIterator[Page]:
    """Open a page from its folder, without a network; what it says and asks for is added to what was found."""
    context = await browser.new_context(offline=True, **options)
    page = await context.new_page()
    page.on("console", lambda message: found.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("request", lambda request: found.append(f"request: {request.url}"))
    await page.goto(report.as_uri())
    yield page
    await context.close()


async def test_the_page_of_a_backtest(browser: Browser, tmp_path: Path) -> None:
    """Light and dark, wide and narrow: all plots, no error, no request but for itself, and no serious fault."""
    report, found = await written(tmp_path), list[str]()
    for scheme, viewport in (("light", DESKTOP), ("dark", PHONE)):
        async with opened(browser, report, found, color_scheme=scheme, viewport=viewport) as page:
            for section, names in PLOTS.items():
                plots = await page.get_by_role("region", name=section).get_by_role("img").all()
                assert [str(await plot.get_attribute("aria-label")).partition(":")[0] for plot in plots] == names
                for plot in plots:
                    assert len(str(await plot.locator("path.line, path.dot").first.get_attribute("d"))) > 100
            price = page.locator(".plot").first
            await price.press("ArrowLeft")
            await expect(price.locator("output")).to_contain_text("USDT")
            found += [f"{scheme}: {fault}" for fault in await faults(page)]
    assert found == [f"request: {report.as_uri()}"] * 2
