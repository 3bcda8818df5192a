"""What is wrong with a page for those who do not see, point or read as others do."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_SERIOUS = ("serious", "critical")


async def faults(page: Page) -> list[str]:
    """Return the serious faults of a page by axe's rules, and whether it is wider than its window."""
    violations = (await Axe().run(page)).response["violations"]
    found = [
        f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}"
        for each in violations
        if each["impact"] in _SERIOUS
    ]
    wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [*found, *([f"{wide} px too wide"] if wide > 0 else [])]
