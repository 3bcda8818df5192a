"""What each view of `millrace top` shows. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from millrace_cli.status import PlatformState, agent_lines, shown
from millrace_cli.trading.orders import order_table
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import Tenant
from millrace_core.orders import OrderRecord

_WELL = ("live", "unverified")


class Reading(NamedTuple):
    """The platform at one moment."""

    at_ms: int
    state: PlatformState
    orders: Mapping[Tenant, Sequence[OrderRecord]]


def headline(reading: Reading) -> Text:
    """Return one line that counts agents, units, messages, open orders and halts."""
    units = [unit for beat in reading.state.heartbeats for unit in beat.units]
    rate = sum(unit.counters.get("messagesPerSecond", 0) for unit in units)
    opened = sum(not record.order.is_final for records in reading.orders.values() for record in records)
    well = sum(unit.state in _WELL for unit in units)
    counts = f"{len(reading.state.heartbeats)} agents  {well} of {len(units)} units live"
    return Text(f"{counts}  {rate:,.0f} msgs/s  {opened} open orders", "bold", no_wrap=True, overflow="ellipsis")


def agents(reading: Reading) -> RenderableType:
    """Return each agent, and below it its units that are not well and its newest error."""
    lines: list[Text] = []
    for beat in sorted(reading.state.heartbeats, key=lambda beat: beat.id):
        lines += agent_lines([beat], reading.at_ms)
        lines += [
            Text(f"  {unit.state} {unit.name}{': ' if unit.detail else ''}{unit.detail or ''}", "yellow")
            for unit in beat.units
            if unit.state not in _WELL
        ]
        lines += [Text(f"  {error.where}: {error.message}", "red") for error in beat.last_errors[-1:]]
    return Group(*lines) if lines else Text("no agent runs: start them with `millrace up`", "yellow")


def streams(reading: Reading) -> RenderableType:
    """Return each gatherer's streams."""
    return Group(*shown([beat for beat in reading.state.heartbeats if beat.kind == "gatherer"], reading.at_ms))


def orders(reading: Reading) -> RenderableType:
    """Return each tenant's open and newest orders."""
    parts: list[RenderableType] = []
    for tenant, records in sorted(reading.orders.items()):
        if records:
            parts += [Text(tenant, "bold"), order_table(records, reading.at_ms)]
    return Group(*parts) if parts else Text("no orders")


def latencies(reading: Reading) -> RenderableType:
    """Return the latencies of each hop, as the agents measured them."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("agent", no_wrap=True)
    table.add_column("unit", overflow="fold")
    table.add_column("hop", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "count"):
        table.add_column(heading, justify="right", no_wrap=True)
    for beat in sorted(reading.state.heartbeats, key=lambda beat: beat.id):
        _add_rows(table, beat)
    return table if table.row_count else Text("no latencies were measured yet")


def _add_rows(table: Table, beat: Heartbeat) -> None:
    measured: Iterable[tuple[str, Mapping[str, Mapping[str, float]]]] = [
        ("", beat.latencies),
        *((unit.name, unit.latencies) for unit in beat.units),
    ]
    for unit, hops in measured:
        for hop, of in hops.items():
            numbers = (f"{of.get('p50', 0):,.2f}", f"{of.get('p99', 0):,.2f}", f"{of.get('count', 0):,.0f}")
            table.add_row(beat.id, unit, hop, *numbers)
