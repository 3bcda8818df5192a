"""What one tenant or stranger does costs no other one a session, a row, or time."""

import asyncio
from collections import Counter
from typing import Any

import picows
import pytest
import sqlalchemy as sa

from millrace_api.access import hashing
from millrace_api.access.principal import Principal
from millrace_api.access.sessions import MAX_SESSIONS, Sessions
from millrace_api.live.client import MAX_REJECTED
from millrace_core.names import Tenant
from millrace_store.schema import tables


def test_sign_ins_of_one_tenant_end_no_session_of_another() -> None:
    """Beyond its number a tenant loses its own oldest session."""
    sessions = Sessions()
    mine, _ = sessions.begin(Principal(Tenant("Ann"), "read", "1", "x"))
    cookies = [sessions.begin(Principal(Tenant("Bob"), "read", "2", "x"))[0] for _ in range(MAX_SESSIONS + 3)]
    assert sessions.principal(mine) is not None
    assert [sessions.principal(cookie) is not None for cookie in cookies[:4]] == [False, False, False, True]


async def test_refused_subscriptions_are_summed_up(
    api: Any, tenant: Any, other: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has a row of its own, those after it have one together; too many end the connection."""
    monkeypatch.setattr("millrace_api.access.refusals.SUM_S", 0.3)
    socket = await connect(await api.token(tenant, "read"))
    for number in range(MAX_REJECTED + 10):
        socket.say(op="subscribe", stream=f"stream.{other}.kucoin.watchTrades.A{number}/B")
    await socket.until(lambda: socket.closed)
    assert socket.closed[0] == 1008
    async with asyncio.timeout(20):
        while sum(map(_times, rows := await api.audit(tenant))) < MAX_REJECTED:
            await asyncio.sleep(0.01)
    assert len(rows) < 20


async def test_denied_requests_are_summed_up(api: Any, tenant: Any, other: Any) -> None:
    """A flood of them costs the trail one row for each action within the time, whatever was asked for."""
    async with api.client(await api.token(tenant, "read")) as reader:
        for number in range(30):
            asked = {"tenant": other, "symbol": f"A{number}/B"}
            assert (await reader.get("/api/v1/trades", params=asked)).status_code == 403
            assert (await reader.get(f"/api/v1/orders/{number}")).status_code == 404
    rows = [row for row in await api.audit(tenant) if row["outcome"] == "denied"]
    assert {row["action"] for row in rows} == {"list_trades", "get_order"}
    assert len(rows) < 20


async def test_a_tenant_has_so_many_tokens_in_force(api: Any, tenant: Any, other: Any) -> None:
    """Its admins hear of which there are too many and what to do; a revoked one makes room."""
    limits = api.services.config.tenant_limits.model_copy(update={"tokens": 3})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    async with api.client(await api.token(tenant)) as admin, api.client(await api.token(other)) as neighbour:

        async def made(client: Any, name: str) -> Any:
            return await client.post("/api/v1/tokens", json={"name": name, "role": "read"})

        first = await made(admin, "first")
        assert [first.status_code, (await made(admin, "second")).status_code] == [201, 201]
        refused = await made(admin, "third")
        assert refused.status_code == 409
        assert "has 3 tokens in force: revoke" in refused.json()["detail"]
        assert (await made(neighbour, "third")).status_code == 201
        assert (await admin.delete(f"/api/v1/tokens/{first.json()['id']}")).status_code == 200
        assert (await made(admin, "third")).status_code == 201


async def test_hashes_of_new_tokens_wait_for_their_tenants_turn(
    api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of new tokens uses one thread, and has at most so many waiting."""
    monkeypatch.setattr(hashing, "MAX_WAITING", 2)
    async with api.client(await api.token(tenant)) as admin:
        asked = [admin.post("/api/v1/tokens", json={"name": f"n{number}", "role": "read"}) for number in range(12)]
        found = Counter(each.status_code for each in await asyncio.gather(*asked))
    assert found[201] >= 2
    assert set(found) == {201, 429}


def _times(row: dict[str, Any]) -> int:
    return 1 if row["detail"] is None else int(row["detail"]["times"])


async def test_a_wrong_secret_is_hashed_once(fresh: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of another form costs no hash, one that was wrong before no second, and a flooding address none at all."""
    hashed: list[str] = []

    def counted(secret: str, record: Any) -> bool:
        hashed.append(secret)
        return False

    monkeypatch.setattr(hashing, "is_secret_of", counted)
    token_id = (await fresh.token(tenant)).split("_")[1]
    fresh.services.configure(fresh.services.config.model_copy(update={"failures_per_minute": 1.0, "failures_burst": 6}))
    async with fresh.client() as stranger:

        async def tried(secret: str) -> int:
            headers = {"Authorization": f"Bearer mr_{token_id}_{secret}"}
            return int((await stranger.get("/api/v1/session", headers=headers)).status_code)

        assert [await tried(secret) for secret in ("short", "x" * 33, "." * 32)] == [401] * 3
        assert not hashed
        assert [await tried("x" * 32) for _ in range(3)] == [401] * 3
        assert len(hashed) == 1
        assert [await tried("y" * 32) for _ in range(3)] == [429] * 3
    assert len(hashed) == 1


@pytest.mark.parametrize(
    ("path", "field", "most"),
    [("exports/trades", "exports", 1), ("agents/events", "event_streams", 2), ("tickers", "questions", 3)],
)
async def test_a_tenant_has_so_much_under_way(
    path: str, field: str, most: int, api: Any, tenant: Any, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is more is refused in words, with a time to come back; another tenant is not concerned, nor is a halt."""
    monkeypatch.setattr(api.services.questions, "whole", _never)
    monkeypatch.setattr(api.services.questions, "export", _endless)
    limits = api.services.config.tenant_limits.model_copy(update={field: most})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    held = api.services.authenticator.budget._held
    async with api.client(await api.token(tenant)) as busy, api.client(await api.token(other)) as quiet:
        left_open = [asyncio.create_task(_followed(busy, path)) for _ in range(most)]
        async with asyncio.timeout(20):
            while held[tenant].total() < most:
                await asyncio.sleep(0.01)
        refused = await busy.get(f"/api/v1/{path}")
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        assert f"has {most} {field.replace('_', ' ')} open" in refused.json()["detail"]
        assert (await busy.post("/api/v1/halts", json={})).status_code == 200
        assert (await quiet.get("/api/v1/trades")).status_code == 200
        for task in left_open:
            task.cancel()
        async with asyncio.timeout(20):
            while tenant in held:
                await asyncio.sleep(0.01)


async def test_an_export_that_nobody_reads_is_cut_off(api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is free again: all tenants share a few."""

    async def large(*_: Any, **__: Any) -> Any:
        while True:
            yield bytes(1_000_000)

    monkeypatch.setattr("millrace_api.routes.exports.STALLED_S", 0.1)
    monkeypatch.setattr(api.services.questions, "export", large)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port, limit=1_000)
    token = await api.token(tenant, "read")
    writer.write(f"GET /api/v1/exports/trades HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()
    held = api.services.authenticator.budget._held
    async with asyncio.timeout(20):
        while tenant in held:
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_a_tenants_questions_take_turns(
    api: Any, tenant: Any, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two are answered at a time, so that the database has time for others; nothing of an aborted one goes on."""
    running: list[int] = []
    most = 0

    async def slow(*_: Any, **__: Any) -> Any:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        try:
            await asyncio.Event().wait()
        finally:
            running.pop()

    monkeypatch.setattr(api.services.questions, "whole", slow)
    async with api.client(await api.token(tenant)) as busy, api.client(await api.token(other)) as quiet:
        asked = [asyncio.create_task(busy.get("/api/v1/tickers")) for _ in range(20)]
        async with asyncio.timeout(20):
            while api.services.authenticator.budget._held[tenant]["questions"] < 20:
                await asyncio.sleep(0.01)
            assert (await quiet.get("/api/v1/trades")).status_code == 200
            for task in asked:
                task.cancel()
            while tenant in api.services.authenticator.budget._held:
                await asyncio.sleep(0.01)
    assert (most, running) == (2, [])


@pytest.mark.parametrize("check", ["validate", "diff"])
async def test_a_check_of_a_configuration_ends_when_its_client_leaves(
    api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """It changes nothing, so it is a question, although it is sent by POST."""
    begun, running = asyncio.Event(), []

    async def slow(*_: Any, **__: Any) -> Any:
        running.append(1)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            running.pop()

    for name in ("about", "work"):
        monkeypatch.setattr(api.services.questions, name, slow)
    async with api.client(await api.token(tenant, "admin")) as client, asyncio.timeout(20):
        asked = asyncio.create_task(client.post(f"/api/v1/agents/EXECUTOR-{tenant}/config/{check}", json={}))
        await begun.wait()
        asked.cancel()
        while running or tenant in api.services.authenticator.budget._held:
            await asyncio.sleep(0.01)


async def test_a_question_whose_body_nobody_reads_fills_no_memory(
    api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client has to wait."""
    monkeypatch.setattr(api.services.questions, "whole", _never)
    _, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    head = f"GET /api/v1/tickers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await api.token(tenant)}\r\n"
    writer.write(f"{head}Content-Length: 1000000000\r\n\r\n".encode())
    sent = 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            while sent < 500_000_000:
                writer.write(bytes(1_000_000))
                await writer.drain()
                sent += 1_000_000
    assert sent < 100_000_000
    writer.transport.abort()


async def test_rows_are_counted(api: Any, tenant: Any, other: Any) -> None:
    """A tenant that has read its rows of a minute waits; others do not."""
    limits = api.services.config.tenant_limits.model_copy(update={"rows_per_minute": 1_000})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    api.services.authenticator.budget.spend_rows(tenant, 1_500)
    async with api.client(await api.token(tenant)) as busy, api.client(await api.token(other)) as quiet:
        refused = await busy.get("/api/v1/trades")
        assert "more than 1,000 rows in a minute" in refused.json()["detail"]
        assert 20 < int(refused.headers["retry-after"]) < 40
        assert (await quiet.get("/api/v1/trades")).status_code == 200


async def _followed(client: Any, path: str) -> None:
    async with client.stream("GET", f"/api/v1/{path}") as found:
        async for _ in found.aiter_bytes():
            pass


async def _never(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


async def _endless(*_: Any, **__: Any) -> Any:
    yield b"a piece"
    await asyncio.Event().wait()


async def test_sign_ins_count_as_requests(fresh: Any, tenant: Any) -> None:
    """Each writes a row of the trail; too many are told when to come back, and are no mistakes of their address."""
    limits = {"requests_per_second": 0.01, "burst": 2, "failures_per_minute": 0.01, "failures_burst": 1}
    fresh.services.configure(fresh.services.config.model_copy(update=limits))
    token = await fresh.token(tenant)
    async with fresh.client() as browser:
        answers = [await browser.post("/api/v1/session", json={"token": token}) for _ in range(4)]
        wrong = await browser.post("/api/v1/session", json={"token": "mr_0123456789ab_" + "x" * 32})
    assert [each.status_code for each in answers] == [200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert wrong.status_code == 401


async def test_bytes_of_configurations_are_counted(api: Any, tenant: Any, other: Any) -> None:
    """To check one keeps everybody waiting, so they cost their sender, and nobody else, as rows do."""
    limits = api.services.config.tenant_limits.model_copy(update={"rows_per_minute": 1_000})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    path = "/api/v1/agents/X-{}/config/validate"
    async with api.client(await api.token(tenant, "read")) as first, api.client(await api.token(other)) as second:
        answers = [await first.post(path.format(tenant), content=b" " * 1_500) for _ in range(2)]
        assert [each.status_code for each in answers] == [422, 429]
        assert int(answers[1].headers["retry-after"]) > 0
        assert (await second.post(path.format(other), content=b" ")).status_code == 422


async def test_sockets_beyond_the_limit_are_no_mistakes_of_their_address(fresh: Any, tenant: Any, other: Any) -> None:
    """Others may share the address; nor does each have a row of the trail."""
    limits = fresh.services.config.tenant_limits.model_copy(update={"web_sockets": 1})
    few = {"tenant_limits": limits, "failures_per_minute": 0.01, "failures_burst": 1}
    fresh.services.configure(fresh.services.config.model_copy(update=few))
    token, url = await fresh.token(tenant, "read"), f"ws://127.0.0.1:{fresh.server.port}/api/v1/live"
    headers = {"Authorization": f"Bearer {token}"}
    transport, _ = await picows.ws_connect(picows.WSListener, url, extra_headers=headers)
    for _ in range(5):
        with pytest.raises(picows.WSInvalidStatusError):
            await picows.ws_connect(picows.WSListener, url, extra_headers=headers)
    transport.disconnect()
    async with fresh.client(await fresh.token(other)) as client:
        assert (await client.get("/api/v1/session")).status_code == 200
    assert await fresh.audit(tenant) == []


async def test_rows_that_were_changed_by_hand_are_no_failure(api: Any, tenant: Any) -> None:
    """A detail is shown as it is, an unreadable answer is ignored, and a token of an impossible tenant is refused."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 50}))
    token = await api.token(tenant)
    async with api.client(token) as admin:
        order = {"exchangeId": "kucoin", "payload": {"symbol": "A/B", "side": "buy", "type": "market", "amountBase": 1}}
        key = {"Idempotency-Key": "changed"}
        assert (await admin.post("/api/v1/orders", json=order, headers=key)).status_code == 202
        await api.store.access.answered(tenant, "changed", 200, "nonsense")
        assert (await admin.post("/api/v1/orders", json=order, headers=key)).status_code in (202, 503)
        async with api.store._database.writing() as writer:
            await writer.execute(sa.update(tables.audit).where(tables.audit.c.tenant == tenant).values(detail="{"))
        assert (await admin.get("/api/v1/audit")).json()["items"][0]["detail"] == "{"
        async with api.store._database.writing() as writer:
            of_token = tables.tokens.c.id == token.split("_")[1]
            await writer.execute(sa.update(tables.tokens).where(of_token).values(tenant="no name!"))
        async with asyncio.timeout(20):
            while (found := (await admin.get("/api/v1/session")).status_code) == 200:
                await asyncio.sleep(0.05)
        assert found == 401


async def test_a_parameter_that_comes_twice_is_no_guess(api: Any, tenant: Any, other: Any) -> None:
    """The last of two would be taken in silence, and a cancellation would reach less, or else, than was meant."""
    async with api.client(await api.token(tenant)) as admin:
        twice = await admin.delete("/api/v1/orders?exchange=kucoin&symbol=A/B&symbol=C/D")
        assert twice.status_code == 422
        assert twice.json()["problems"][0] == {"path": "query.symbol", "message": "may be given once"}
        assert (await admin.get(f"/api/v1/trades?tenant={other}&tenant={tenant}")).status_code == 422
        assert (await admin.get("/api/v1/pnl?source=a&source=b&by=source&by=symbol")).status_code == 200
