"""What a key holds, as a person sees it who looks for a fault."""

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.reading.inspection import LONGEST, StoredEntry


async def test_every_type_is_shown_and_bounded(server: EmbeddedServer) -> None:
    """At most so many entries, the newest first, and no text longer than its bound."""
    async with Bus.connect(server.url, name="inspection") as bus:
        call = bus._redis.call
        for number in range(30):
            await call("XADD", "in.stream", f"1-{number + 1}", "m", f"message {number}")
            await call("ZADD", "in.zset", number, f"m{number}")
            await call("SADD", "in.set", f"m{number}")
            await call("HSET", "in.hash", f"f{number}", "v" * (LONGEST + 5))
        await call("SET", "in.string", "text", "PX", 60_000)
        found = {kind: await bus.inspect(f"in.{kind}", 3) for kind in ("stream", "zset", "set", "hash", "string")}
        assert all(value is not None and value.kind == kind for kind, value in found.items())
        assert {kind: value.size for kind, value in found.items() if value} == {
            "stream": 30, "zset": 30, "set": 30, "hash": 30, "string": 4
        }  # fmt: skip
        assert all(len(value.entries) <= 3 for value in found.values() if value)
        assert found["stream"] and found["stream"].entries[0] == StoredEntry("1-30", "message 29")
        assert found["zset"] and found["zset"].entries[0] == StoredEntry("m29", "29")
        assert found["hash"] and len(found["hash"].entries[0].text) == LONGEST
        assert found["string"] and 0 < (found["string"].expires_ms or 0) <= 60_000
        assert found["set"] and found["set"].expires_ms is None
        assert await bus.inspect("in.nothing", 3) is None
