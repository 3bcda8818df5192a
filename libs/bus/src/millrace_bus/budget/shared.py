"""A budget that all processes of an address share, counted in Redis; while Redis is away, each counts for itself.

An outage stops neither orders nor cancels: each process then takes its part of what was left of each limit, by how many
processes there were, and reports what it used once Redis is back. Pauses that exchanges ask for are announced on a
channel, so that a process knows of them before its next request.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from millrace_bus.budget.script import SCRIPT, SHA
from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection, ReplySink, pack
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import BusError, CommandRefused
from millrace_core.budget.budget import Charge, Pauses, Verdict
from millrace_core.budget.local import LocalBudget, monotonic_ms
from millrace_core.names import BUDGET_STOPS, budget_peers_key, budget_users_key

ANSWER_LIMIT_S: Final = 1.0
"""How long an answer of Redis is waited for; after that the process counts for itself."""
URGENT_LIMIT_S: Final = 0.1
"""The same for an urgent request."""
AWAY_MS: Final = 1_000
"""How long Redis is not asked again after it did not answer."""
FRESH_MS: Final = 200
"""How old the last answer may be for an urgent request to go without another one."""
_STOP_WINDOW_MS: Final = 1_000

_URGENT: Final = "u|"
_OTHER: Final = "n|"
_NOBODY: Final = ""
_PAUSE_DIGITS: Final = 16
"""The most digits that a pause has; a longer number is none."""
_log = logging.getLogger("millrace.bus")

_LOAD: Final = pack("SCRIPT", "LOAD", SCRIPT)

_Owed = tuple[str, int, str]
"""A limit, its window, and who used it."""


class SharedBudget:
    """The port `Budget` over Redis."""

    def __init__(self, address: Address, name: str) -> None:
        self._process = uuid4().hex
        self._reconnecting = ReconnectingConnection(address, name, on_push=self._hear, on_up=self._catch_up)
        self._pauses = Pauses()
        self._alone = LocalBudget()
        """What this process used and Redis does not know of."""
        self._used: dict[str, int] = {}
        self._known_ms: dict[str, float] = {}
        """When Redis last said what was used of each limit."""
        self._unanswered: Counter[str] = Counter()
        """What was granted of each limit without waiting, and Redis has not answered to yet."""
        self._peers = 1
        self._owed: Counter[_Owed] = Counter()
        """The same, as it is to be reported."""
        self._away_until_ms = 0.0

    @property
    def used(self) -> Mapping[str, int]:
        """What was used of each limit, by key, as Redis last said."""
        return self._used

    async def close(self) -> None:
        """Close the connection."""
        await self._reconnecting.close()

    async def take(self, charges: Sequence[Charge], tenant: str, *, urgent: bool = False) -> Verdict:
        """Count a request against all of its limits, or against none if it does not fit into each."""
        if stopped_ms := self.stopped_ms([charge.key for charge in charges]):
            return Verdict(stopped_ms, is_stopped=True)
        user = f"{_URGENT if urgent else _OTHER}{tenant}"
        if urgent and self._has_plenty(charges):
            self._unanswered.update({charge.key: charge.weight for charge in charges})
            self._send(charges, user, forced=True)
            return Verdict()
        reply = await self._ask(charges, user, URGENT_LIMIT_S if urgent else ANSWER_LIMIT_S)
        # A pause may have begun meanwhile.
        if stopped_ms := self.stopped_ms([charge.key for charge in charges]):
            return Verdict(stopped_ms, is_stopped=True)
        if reply is None:
            return self._take_alone(charges, user)
        return Verdict() if reply[0] == 1 else Verdict(max(1, *reply[3::3]))

    def stop(self, key: str, ms: int) -> None:
        """Grant nothing that is charged to a limit for a time, in any process."""
        self._pauses.add(key, monotonic_ms(), ms)
        self._send([Charge(key, _STOP_WINDOW_MS, 0, 0, 0)], _NOBODY, stop_ms=ms)

    def stopped_ms(self, keys: Sequence[str]) -> int:
        """Return how much of the longest pause of some limits is left."""
        return self._pauses.left_ms(keys, monotonic_ms())

    def observe(self, key: str, window_ms: int, used: int) -> None:
        """Take over how much of a limit the exchange itself has counted, if it is more than is known here."""
        if used > self._used.get(key, 0):
            self._send([Charge(key, window_ms, 0, 0, 0)], _NOBODY, seen=used)

    def _has_plenty(self, charges: Sequence[Charge]) -> bool:
        """Tell whether half of each limit was left a moment ago."""
        since_ms = monotonic_ms() - FRESH_MS
        return self._reconnecting.connection is not None and all(
            self._known_ms.get(charge.key, 0) > since_ms
            and self._used[charge.key] + self._unanswered[charge.key] + charge.weight <= charge.cap / 2
            for charge in charges
            if not charge.is_open
        )

    def _take_alone(self, charges: Sequence[Charge], user: str) -> Verdict:
        verdict = self._alone.take_now([self._part(charge) for charge in charges], user)
        if verdict.is_granted:
            for charge in charges:
                self._owed[charge.key, charge.window_ms, user] += charge.weight
        return verdict

    def _part(self, charge: Charge) -> Charge:
        """Return a charge with this process's part of what was left when Redis was last there."""
        is_over = self._known_ms.get(charge.key, 0) + 2 * charge.window_ms < monotonic_ms()
        used = 0 if is_over else self._used.get(charge.key, 0)
        left = max(0, charge.cap - used - self._unanswered[charge.key])
        # Rounded up: the part of a small limit must not be nothing.
        part = -(-left // self._peers)
        return charge._replace(cap=part, contended_cap=part)

    async def _ask(self, charges: Sequence[Charge], user: str, limit_s: float) -> list[int] | None:
        """Return the script's reply; None if there is none in time."""
        if monotonic_ms() < self._away_until_ms:
            return None
        command = self._command(charges, user)
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._reconnecting.up()
                self._report_owed(connection)
                reply = await connection.call(*command)
        except (BusError, TimeoutError) as error:
            self._away_until_ms = monotonic_ms() + AWAY_MS
            if isinstance(error, CommandRefused) and error.code == "NOSCRIPT":
                connection.send(_LOAD, [None])
            return None
        self._learn(charges, reply)
        return list(reply)

    def _report_owed(self, connection: Connection) -> None:
        """Report what was used while Redis did not answer."""
        if not self._owed:
            return
        owed, self._owed, self._alone = self._owed, Counter(), LocalBudget()
        for (key, window_ms, user), weight in owed.items():
            charge = Charge(key, window_ms, weight, 0, 0)
            self._unanswered[key] += weight
            command = self._command([charge], user, forced=True)
            connection.send(pack(*command), [self._learning([charge], forced=True)])

    def _send(
        self, charges: Sequence[Charge], user: str, *, forced: bool = False, stop_ms: int = 0, seen: int = 0
    ) -> None:
        """Send without waiting. What is lost is not sent again: a pause is, once Redis is back."""
        self._reconnecting.start()
        if (connection := self._reconnecting.connection) is not None:
            # First: what the exchange has counted includes it.
            self._report_owed(connection)
            command = self._command(charges, user, forced=forced, stop_ms=stop_ms, seen=seen)
            connection.send(pack(*command), [self._learning(charges, forced=forced)])

    def _learning(self, charges: Sequence[Charge], *, forced: bool = False) -> ReplySink:
        def learn(reply: Any) -> None:
            if forced:
                self._unanswered.subtract({charge.key: charge.weight for charge in charges})
            if isinstance(reply, list):
                self._learn(charges, reply)

        return learn

    def _learn(self, charges: Sequence[Charge], reply: list[int]) -> None:
        now_ms = monotonic_ms()
        self._peers = max(1, reply[1])
        for charge, used, stopped_ms in zip(charges, reply[2::3], reply[4::3], strict=True):
            self._used[charge.key] = used
            self._known_ms[charge.key] = now_ms
            if stopped_ms:
                self._pauses.add(charge.key, now_ms, stopped_ms)

    def _command(
        self, charges: Sequence[Charge], user: str, *, forced: bool = False, stop_ms: int = 0, seen: int = 0
    ) -> list[str | int]:
        keys = [budget_peers_key(charges[0].key.partition("{")[2].partition("}")[0])]
        for charge in charges:
            keys += charge.key, budget_users_key(charge.key)
        command: list[str | int] = ["EVALSHA", SHA, len(keys), *keys, self._process, user, int(forced)]
        for charge in charges:
            command += [charge.window_ms, charge.weight, charge.cap, charge.contended_cap, stop_ms, seen]
        return command

    async def _catch_up(self, connection: Connection) -> None:
        """Report to a new connection what happened while there was none."""
        connection.send(_LOAD + pack("SUBSCRIBE", BUDGET_STOPS), [None])
        for key, ms in self._pauses.remaining(monotonic_ms()).items():
            # Not waited for: a server that refuses it, as without memory, must not end the connection.
            command = self._command([Charge(key, _STOP_WINDOW_MS, 0, 0, 0)], _NOBODY, stop_ms=ms)
            connection.send(pack(*command), [None])
        self._report_owed(connection)
        self._away_until_ms = 0.0

    def _hear(self, push: list[Any]) -> None:
        if push[0] != b"message":
            return
        ms, _, key = push[2].decode(errors="replace").partition(" ")
        if ms.isascii() and ms.isdecimal() and len(ms) <= _PAUSE_DIGITS:
            self._pauses.add(key, monotonic_ms(), int(ms))
        else:
            _log.warning("what was sent on %s is no pause: %r", BUDGET_STOPS, push[2][:100])
