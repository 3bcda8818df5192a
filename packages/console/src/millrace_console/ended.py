"""A token that is no longer in force ends what is shown in its name, in every page that is open."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiError, ApiRefused

PATH = "/ended"
_NOT_IN_FORCE = 401


def leave_if_ended(error: ApiError) -> None:
    """Lead the page away when the API says that a token is no longer in force; what the page shows goes with it."""
    if isinstance(error, ApiRefused) and error.status == _NOT_IN_FORCE:
        ui.run_javascript(f"location.replace('{PATH}?to=' + encodeURIComponent(location.pathname + location.search))")


async def in_force(api: Api, accounts: Sequence[Account]) -> tuple[Account, ...]:
    """Return the accounts without those whose tokens the API refuses."""
    answers = await asyncio.gather(*(_is_in_force(api, each) for each in accounts))
    return tuple(account for account, is_good in zip(accounts, answers, strict=True) if is_good)


async def _is_in_force(api: Api, account: Account) -> bool:
    try:
        await api.session(account.token)
    except ApiRefused as refused:
        return refused.status != _NOT_IN_FORCE
    except ApiError:
        return True  # an API that does not answer ends nothing
    return True
