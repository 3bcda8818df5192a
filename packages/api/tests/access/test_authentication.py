"""Tokens, browser sessions and limits, over real HTTP."""

import asyncio
from typing import Any

import pytest

from millrace_api.access import sign_in_codes
from millrace_api.access.sessions import COOKIE, cookie_in
from millrace_api.access.tokens import new_token
from millrace_core.clock import now_ms

BACKSLASHES = "\\" * 9


async def test_a_token_made_by_an_admin_works_until_it_is_revoked(api: Any, admin: Any, tenant: Any) -> None:
    """Its text is shown once; revoked it is refused at once."""
    made = (await admin.post("/api/v1/tokens", json={"name": "Robot", "role": "trade"})).json()
    async with api.client(made["token"]) as robot:
        session = (await robot.get("/api/v1/session")).json()
        assert (session["tenant"], session["role"]) == (tenant, "trade")
        listed = await admin.get("/api/v1/tokens")
        assert made["token"].split("_", 2)[2] not in listed.text
        assert (await admin.post("/api/v1/tokens", json={"name": "Robot", "role": "read"})).status_code == 409
        assert (await admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 200
        assert (await robot.get("/api/v1/session")).status_code == 401


async def test_a_sign_in_code_is_exchanged_once_for_a_token(api: Any, tenant: Any) -> None:
    """The token is the tenant's, with the code's role; a second use says that there was one."""
    code = await sign_in_codes.create(api.store, [tenant], "trade", usable_ms=60_000)
    async with api.client() as browser:
        (made,) = (await browser.post("/api/v1/session/code", json={"code": code})).json()["items"]
        again = await browser.post("/api/v1/session/code", json={"code": code})
    assert again.status_code == 401
    assert "used before" in again.json()["detail"]
    async with api.client(made["token"]) as signed_in:
        session = (await signed_in.get("/api/v1/session")).json()
    assert (session["tenant"], session["role"]) == (tenant, "trade")
    assert [row["action"] for row in await api.audit(tenant)] == ["create_token"]


async def test_a_token_ends_when_it_expires(api: Any, admin: Any, tenant: Any) -> None:
    """An expired token is invalid, and none is created that would be expired from the start."""
    token, record = new_token(tenant, "Late", "read", now_ms() - 2, now_ms() - 1)
    await api.store.access.add_token(record)
    async with api.client(str(token)) as late:
        assert (await late.get("/api/v1/session")).status_code == 401
    seconds = {"name": "Hasty", "role": "read", "expiresMs": now_ms() // 1_000}
    refused = await admin.post("/api/v1/tokens", json=seconds)
    assert refused.status_code == 422
    assert "ms since 1970" in refused.json()["problems"][0]["message"]


async def test_a_browser_changes_nothing_without_its_second_secret(api: Any, tenant: Any) -> None:
    """The cookie alone reads; a change needs the CSRF secret, and a page of ours."""
    token = await api.token(tenant)
    async with api.client() as browser:
        logged_in = await browser.post("/api/v1/session", json={"token": token})
        assert "httponly" in logged_in.headers["set-cookie"].lower()
        assert "samesite=strict" in logged_in.headers["set-cookie"].lower()
        assert (await browser.get("/api/v1/tokens")).status_code == 200
        halt: dict[str, Any] = {"reason": "lunch"}
        assert (await browser.post("/api/v1/halts", json=halt)).status_code == 403
        secret = {"X-CSRF-Token": logged_in.json()["csrf"]}
        foreign = secret | {"Origin": "https://evil.example"}
        assert (await browser.post("/api/v1/halts", json=halt, headers=foreign)).status_code == 403
        assert [row["outcome"] for row in await api.audit(tenant)][-1] == "denied"
        assert (await browser.post("/api/v1/halts", json=halt, headers=secret)).status_code == 200
        done = [row for row in await api.audit(tenant) if row["outcome"] == "done"]
        assert done[-1]["detail"]["halt"]["reason"] == "lunch"
        own = secret | {"Origin": api.url}
        assert (await browser.delete("/api/v1/session", headers=own)).status_code == 200
        assert (await browser.get("/api/v1/tokens")).status_code == 401


async def test_a_revoked_token_ends_its_sessions(api: Any, tenant: Any) -> None:
    """A browser that logged in with it is out, even when it was revoked elsewhere."""
    token = await api.token(tenant)
    async with api.client() as browser:
        await browser.post("/api/v1/session", json={"token": token})
        await api.store.access.revoke_token(tenant, token.split("_")[1], now_ms())
        async with asyncio.timeout(5):
            while (await browser.get("/api/v1/session")).status_code != 401:
                pass


async def test_a_foreign_page_cannot_open_a_live_connection(api: Any, tenant: Any) -> None:
    """A session's WebSocket comes from our own pages only."""
    token = await api.token(tenant)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with api.client() as browser:
        await browser.post("/api/v1/session", json={"token": token})
        for headers in ({"Origin": "https://evil.example"}, {}):
            found = await browser.get("/api/v1/live", headers=upgrade | headers)
            assert found.status_code == 403


async def test_a_rate_limited_request_says_when_to_retry(api: Any, tenant: Any) -> None:
    """Beyond the limit of a token 429 with Retry-After; other tokens are not concerned."""
    api.services.configure(api.services.config.model_copy(update={"requests_per_second": 1.0, "burst": 3}))
    async with api.client(await api.token(tenant)) as hasty, api.client(await api.token(tenant)) as patient:
        found = [await hasty.get("/api/v1/session") for _ in range(4)]
        assert [each.status_code for each in found] == [200, 200, 200, 429]
        assert int(found[-1].headers["retry-after"]) >= 1
        assert (await patient.get("/api/v1/session")).status_code == 200


async def test_strangers_do_not_fill_the_audit_trail(fresh: Any) -> None:
    """Failures of one address beyond a limit are turned away unrecorded."""
    fresh.services.configure(fresh.services.config.model_copy(update={"failures_per_minute": 1.0, "failures_burst": 5}))
    async with fresh.client() as stranger:
        found = [(await stranger.get("/api/v1/trades")).status_code for _ in range(8)]
    assert found == [401] * 5 + [429] * 3
    assert len(await fresh.audit("-")) == 5


@pytest.mark.parametrize("headers", [{}, {"Connection": "Upgrade", "Upgrade": "websocket"}], ids=["page", "socket"])
async def test_pythons_reader_of_cookies_sees_none(
    headers: dict[str, str], api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's cookie of 60 kB with backslashes kept it, and with it everybody, for half a minute."""

    def never(text: str) -> str:
        raise AssertionError(text)

    monkeypatch.setattr("http.cookies._unquote", never)
    cookie = {"Cookie": f'a=1; {COOKIE}="{BACKSLASHES}"; b'}
    async with api.client() as stranger:
        assert (await stranger.get("/api/v1/live", headers=headers | cookie)).status_code == 401


def test_a_sessions_cookie_is_found_among_others() -> None:
    """Other programs on the same host have cookies of any form."""
    assert cookie_in({"cookie": f'a="x; y"; {COOKIE}=abc-_1; =; b'}) == "abc-_1"
    assert cookie_in({"cookie": f"x{COOKIE}=1; {COOKIE}"}) == ""
    assert cookie_in({}) is None
