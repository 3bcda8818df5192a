"""The list of strategies, and the one that the address names."""

import asyncio
import json
from typing import Any

from nicegui import ui

from millrace_console import halting
from millrace_console.api import ApiError
from millrace_console.display.section import section
from millrace_console.display.table import Column, Row, Table
from millrace_console.loading import when_loaded
from millrace_console.pages.configuration.agent_config import AgentConfig, known_configs
from millrace_console.pages.strategies.form import ParametersForm
from millrace_console.pages.strategies.plugins import (
    PlannedStrategy,
    is_stopped,
    planned,
    with_status,
    with_strategy_status,
)
from millrace_console.pages.strategies.record import StrategyRecord
from millrace_console.pages.strategies.rows import (
    STRATEGIES,
    TIMES,
    counter_rows,
    errors_html,
    strategy_row,
    time_rows,
)
from millrace_console.pages.strategies.running import KIND, Magicbox, Today, magicboxes, profits_today
from millrace_console.pages.strategies.saving import ask_to_save, say_refused
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import now_ms

Found = tuple[list[Magicbox], Today]


class StrategiesPage:
    """The list, and below it one strategy."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._unit = visit.place.get("strategy")
        self._boxes: list[Magicbox] = []
        self._agents: tuple[Any, ...] = ()
        with section("Strategies"):
            self._list = Table("Strategies", STRATEGIES, "No strategy is configured that your tokens may see.")
            self._list.on_action(self._act)
            self._panel = Panel(visit, self._ask, self._show)
            self._buttons = ui.row().classes("items-center gap-2 pt-2")
        if self._unit:
            self._detail()
        with section(f"Errors of {self._unit}" if self._unit else "Errors"):
            self._errors = ui.html("", sanitize=False).classes("w-full")

    def _detail(self) -> None:
        with section(f"Parameters of {self._unit}"):
            when_loaded(self._load, self._form)
        StrategyRecord(self._visit, self._unit)
        with ui.element("div").classes("grid-panels"):
            with section("Time per event"):
                self._times = Table("Time per event", TIMES, "Nothing was measured yet.")
            with section("Counted since its start"):
                columns = (Column("What"), Column("Count", "number"))
                self._counters = Table("Counted since its start", columns, "Nothing was counted yet.")

    async def _ask(self, poll: Poll) -> Found:
        (boxes, today) = await asyncio.gather(magicboxes(self._visit, poll), profits_today(self._visit, poll))
        return boxes, today

    def _show(self, found: Found) -> None:
        self._boxes, today = found
        self._list.show(self._row(box, each, today) for box in self._boxes for each in planned(box.document))
        heartbeats = [box.agent for box in self._boxes if box.agent]
        errors = errors_html(heartbeats, self._unit)
        if errors != self._errors.content:
            self._errors.content = errors
        if self._unit:
            unit = next(filter(None, (box.unit(self._unit) for box in self._boxes)), None)
            self._times.show(time_rows(unit) if unit else ())
            self._counters.show(counter_rows(unit) if unit else ())
        self._show_agents()

    def _row(self, box: Magicbox, each: PlannedStrategy, today: Today) -> Row:
        place, config = self._visit.place, box.config
        links = (
            place.here(agent=config.agent, strategy=each.unit),
            place.to("/orders", source=each.name, status="open"),
        )
        own = [account for account in self._visit.all_accounts if account.tenant == each.tenant]
        return strategy_row(
            each, config.agent, box.unit(each.unit), today.get((each.tenant, each.name), ()), links, now_ms(),
            is_old=box.is_old, is_stopped=is_stopped(box.document), may_change=config.may_change,
            may_halt=any(account.may("trade") for account in own),
        )  # fmt: skip

    def _show_agents(self) -> None:
        """Show a button for each agent that one may start or stop."""
        able = [box for box in self._boxes if box.config.may_change]
        drawn = tuple((box.config.agent, is_stopped(box.document)) for box in able)
        if drawn == self._agents:
            return
        self._agents = drawn
        self._buttons.clear()
        with self._buttons:
            for box in able:
                verb, icon = ("Start", "play_arrow") if is_stopped(box.document) else ("Stop", "stop")
                ui.button(
                    f"{verb} all of {box.config.agent} …",
                    icon=icon,
                    on_click=lambda agent=box.config.agent: self._start_or_stop_all(agent),
                ).props("no-caps outline dense")

    async def _start_or_stop_all(self, agent: str) -> None:
        box = next(each for each in self._boxes if each.config.agent == agent)
        starts = is_stopped(box.document)
        new = with_status(box.document, "started" if starts else "stopped")
        await self._start_or_stop(box, f"all strategies of {agent}", new, starts=starts)

    async def _start_or_stop(self, box: Magicbox, what: str, new: dict[str, Any], *, starts: bool) -> None:
        verb = "Start" if starts else "Stop"
        title = f"{verb} {what}" + ("" if starts else ": open orders stay open unless a strategy cancels its own")
        await ask_to_save(box.config, new, title, f"{verb} now", self._panel.soon)

    async def _act(self, action: str) -> None:
        """Carry out `start`, `stop`, `restart` or `halt` of the agent's unit that follows."""
        verb, _, key = action.partition(" ")
        agent, _, unit = key.partition(" ")
        box = next((each for each in self._boxes if each.config.agent == agent), None)
        if box is None:
            return
        if verb == "halt":
            tenant, _, name = unit.partition(".")
            halting.ask(self._visit, [tenant], name)
        elif verb in ("start", "stop"):
            starts = verb == "start"
            new = with_strategy_status(box.document, unit, "started" if starts else "stopped")
            await self._start_or_stop(box, unit, new, starts=starts)
        else:
            self._ask_to_restart(box.config, unit)

    def _ask_to_restart(self, config: AgentConfig, unit: str) -> None:
        async def restart() -> None:
            dialog.close()
            try:
                path = f"{config.agent_path}/restart"
                await self._visit.api.ask(config.account, "POST", path, body={"unit": unit})
            except ApiError as error:
                say_refused(error)
            else:
                ui.notify(f"{unit} is restarted", type="positive")
                self._panel.soon()

        with ui.dialog(value=True).props('aria-label="Restart a unit"') as dialog, ui.card():
            ui.label(f"Restart {unit}").props("role=heading aria-level=2").classes("text-lg")
            ui.label(f"{config.agent} runs its present code afresh with the same parameters. Open orders stay open.")
            with ui.row().classes("w-full justify-end"):
                ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
                ui.button("Restart now", on_click=restart).props("no-caps unelevated")

    async def _load(self) -> AgentConfig | None:
        configs = await known_configs(self._visit, self._visit.api)
        agent = self._visit.place.get("agent")
        if agent not in configs:
            return None
        account, summary = configs[agent]
        config = AgentConfig(self._visit.api, account, agent, KIND, may_change=summary["mayChange"])
        await config.load()
        return config

    def _form(self, config: AgentConfig | None) -> None:
        known = planned(json.loads(config.text)) if config and config.text else []
        strategy = next((each for each in known if each.unit == self._unit), None)
        if config is None or strategy is None:
            ui.label("No configuration that your tokens may see has this strategy.").classes("muted")
            return
        ParametersForm(config, strategy, self._panel.soon)
