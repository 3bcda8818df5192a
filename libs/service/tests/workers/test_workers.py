"""Units in workers: watched, replaced, ended, and reported as if there were one process."""

import os
import signal
from typing import Any

EACH = {"workers": "each"}


async def test_units_share_so_many_workers(agent: Any) -> None:
    """Units are spread over two workers, none runs in the agent; the heartbeat names each with memory and CPU."""
    await agent.start()
    await agent.configure(dict.fromkeys("abcd", "count"), workers=2)
    beat = await agent.shows_live("a", "b", "c", "d")
    assert sorted(unit.worker for unit in beat.units) == ["1", "1", "2", "2"]
    measured = await agent.shows(lambda beat: all(worker.memory_mb > 10 for worker in beat.workers))
    assert [worker.name for worker in measured.workers] == ["1", "2"]
    assert {worker.pid for worker in measured.workers} < set(agent.family())


async def test_a_process_for_each_unit_is_one_for_each_group(agent: Any) -> None:
    """Units that belong together share a process, also where every other unit has one of its own."""
    await agent.start()
    await agent.configure({"a/1": "count", "a/2": "count", "b": "count"}, **EACH)
    beat = await agent.shows_live("a/1", "a/2", "b")
    assert {worker.name: worker.units for worker in beat.workers} == {"a": 2, "b": 1}


async def test_a_killed_worker_is_replaced_and_the_others_notice_nothing(agent: Any) -> None:
    """A worker is killed by -9: its units are live again within 3 s, those of the other worker go on."""
    await agent.start()
    await agent.configure({"a": "count", "b": "count"}, **EACH)
    before = await agent.shows_live("a", "b")
    os.kill(agent.worker(before, "a").pid, signal.SIGKILL)
    after = await agent.shows(
        lambda beat: agent.worker(beat, "a").replaced == 1 and agent.unit(beat, "a").state == "live", within_s=3
    )
    assert agent.worker(after, "a").replaced == 1
    assert agent.worker(after, "b").pid == agent.worker(before, "b").pid
    assert agent.unit(after, "a").counters["failures"] == 1
    assert agent.unit(after, "b").since == agent.unit(before, "b").since
    assert any("SIGKILL" in error.message for error in after.last_errors)


async def test_totals_go_on_in_the_next_worker(agent: Any) -> None:
    """Counters and latencies of a unit are running totals, also over the death of its worker."""
    await agent.start()
    await agent.configure({"a": "count"}, **EACH)
    before = await agent.shows(lambda beat: beat.units and agent.unit(beat, "a").counters.get("ticks", 0) > 50)
    os.kill(agent.worker(before, "a").pid, signal.SIGKILL)
    after = await agent.shows(lambda beat: agent.worker(beat, "a").replaced == 1 and beat.workers[0].state == "live")
    assert agent.unit(after, "a").counters["ticks"] >= agent.unit(before, "a").counters["ticks"]
    assert after.latencies["tick"]["count"] >= before.latencies["tick"]["count"]


async def test_a_worker_that_never_yields_is_replaced(agent: Any) -> None:
    """Its event loop stands still: it is killed, named with the line it stood at, and started again.

    That takes the limit of 5 s; longer on a busy machine, where a worker may also be waiting for its turn.
    """
    await agent.start()
    await agent.configure({"a": "loop", "b": "count"}, **EACH)
    beat = await agent.shows(lambda beat: any("stood still" in error.message for error in beat.last_errors))
    error = next(error for error in beat.last_errors if "stood still" in error.message)
    assert "busy_agent.py" in error.message
    assert "in run_unit" in error.traceback
    await agent.shows(lambda beat: agent.worker(beat, "a").replaced >= 1)
    assert agent.unit(beat, "b").state == "live"


async def test_a_worker_that_leaks_is_replaced_at_its_bound(agent: Any) -> None:
    """A worker whose memory grows beyond the limit is killed and started again."""
    await agent.start()
    await agent.configure({"a": "leak", "b": "count"}, **EACH, workerLimits={"memoryMb": 200})
    beat = await agent.shows(lambda beat: any("200 MB" in error.message for error in beat.last_errors))
    assert agent.unit(beat, "b").state == "live"
    await agent.shows(lambda beat: agent.worker(beat, "a").replaced >= 1)


async def test_a_unit_that_exceeds_its_own_limits_stays_stopped(agent: Any) -> None:
    """Where the agent says so, it stays stopped with its cause, is cleaned up after, and a changed one runs."""
    await agent.start()
    await agent.configure({"a": "loop", "b": "count"}, stops=True, **EACH)
    beat = await agent.shows(lambda beat: beat.units and agent.unit(beat, "a").state == "stopped")
    assert "stood still" in agent.unit(beat, "a").detail
    assert agent.worker(beat, "a").state == "stopped"
    assert await agent.stopped_note("a") == f"by {agent.pid}"
    await agent.configure({"a": "count", "b": "count"}, stops=True, **EACH)
    await agent.shows_live("a", "b")


async def test_a_change_that_a_hanging_worker_never_read_is_not_lost(agent: Any) -> None:
    """A mended configuration runs, also if it came while the worker stood still already."""
    await agent.start()
    await agent.configure({"a": "loop"}, stops=True, **EACH)
    beat = await agent.shows(lambda beat: beat.units and agent.unit(beat, "a").state == "live")
    pid = agent.worker(beat, "a").pid
    await agent.uses_cpu(pid)
    await agent.configure({"a": "count"}, stops=True, **EACH)
    await agent.shows(lambda beat: agent.worker(beat, "a").pid != pid and agent.unit(beat, "a").state == "live")


async def test_a_unit_that_gave_up_stays_stopped_in_the_next_worker(agent: Any) -> None:
    """Only a changed configuration starts it again, not the replacement of its worker."""
    await agent.start()
    await agent.configure({"a": "give up", "b": "count"}, workers=1)
    before = await agent.shows(lambda beat: beat.units and agent.unit(beat, "a").state == "stopped")
    os.kill(before.workers[0].pid, signal.SIGKILL)
    after = await agent.shows(lambda beat: beat.workers[0].replaced == 1 and agent.unit(beat, "b").state == "live")
    assert agent.unit(after, "a").detail == "gave up"
    assert agent.unit(after, "a").counters == agent.unit(before, "a").counters
    await agent.configure({"a": "count", "b": "count"}, workers=1)
    await agent.shows_live("a", "b")


async def test_what_a_worker_has_started_ends_with_it(agent: Any) -> None:
    """Its death is noticed at once although its child holds its connection, and the child is ended."""
    await agent.start()
    await agent.configure({"a": "start a process"}, **EACH)
    beat = await agent.shows(lambda beat: beat.units and "started" in (agent.unit(beat, "a").detail or ""))
    child = int(agent.unit(beat, "a").detail.split()[1])
    os.kill(agent.worker(beat, "a").pid, signal.SIGKILL)
    after = await agent.shows(lambda beat: agent.worker(beat, "a").replaced == 1)
    assert "SIGKILL" in after.last_errors[0].message
    await agent.all_end([child])


async def test_an_ordinary_failure_is_the_units_alone(agent: Any) -> None:
    """A unit that raises is restarted in its worker, with its traceback in the heartbeat."""
    await agent.start()
    await agent.configure({"a": "fail", "b": "count"}, workers=1)
    beat = await agent.shows(lambda beat: any(error.where == "a" for error in beat.last_errors))
    assert "a defect" in beat.last_errors[0].message
    assert "run_unit" in beat.last_errors[0].traceback
    assert beat.workers[0].replaced == 0


async def test_an_exit_is_reported_with_its_code(agent: Any) -> None:
    """A worker that ends by itself is started again; the heartbeat says how it ended."""
    await agent.start()
    await agent.configure({"a": "exit"}, **EACH)
    beat = await agent.shows(lambda beat: bool(beat.last_errors))
    assert "exit code 7" in beat.last_errors[0].message


async def test_a_failed_start_is_reported(agent: Any) -> None:
    """What the units share cannot be acquired in a worker: its cause is in the heartbeat of the agent."""
    await agent.start(BUSY_FAILS_IN_WORKER="no database")
    await agent.configure({"a": "count"}, **EACH)
    beat = await agent.shows(lambda beat: bool(beat.last_errors))
    assert "no database" in beat.last_errors[0].message


async def test_changes_reach_units_in_workers(agent: Any) -> None:
    """One unit is added, one removed, one changed: the worker of the fourth is the same process as before."""
    await agent.start()
    await agent.configure({"a": "count", "b": "count", "c": "count"}, **EACH)
    before = await agent.shows_live("a", "b", "c")
    await agent.configure({"a": "count", "b": "nap", "d": "count"}, **EACH)
    after = await agent.shows_live("a", "b", "d")
    assert agent.worker(after, "a").pid == agent.worker(before, "a").pid
    assert agent.unit(after, "a").since == agent.unit(before, "a").since


async def test_units_move_when_the_number_of_workers_changes(agent: Any) -> None:
    """From the agent's process to workers and back; each unit runs once."""
    await agent.start()
    units = dict.fromkeys("abcd", "count")
    await agent.configure(units)
    await agent.shows_live(*units)
    for workers, expected in ((3, 3), ("each", 4), (0, 0)):
        await agent.configure(units, workers=workers)
        beat = await agent.shows(
            lambda beat, expected=expected: len(beat.workers) == expected and all(u.state == "live" for u in beat.units)
        )
        homes = [unit.worker for unit in beat.units]
        assert len(set(homes)) == max(1, expected)
        assert len(agent.family()) == 1 + expected


async def test_the_agent_ends_its_workers_in_order(agent: Any) -> None:
    """SIGTERM ends all processes, exit code 0."""
    await agent.start()
    await agent.configure({"a": "count", "b": "count"}, **EACH)
    await agent.shows_live("a", "b")
    family = agent.family()
    assert await agent.end() == 0
    await agent.all_end(family)
    assert "killed" not in agent.log()


async def test_a_killed_agent_leaves_no_worker(agent: Any) -> None:
    """Killing the agent by -9 ends fork server and workers, one that never yields too."""
    await agent.start()
    await agent.configure({"a": "loop", "b": "count"}, **EACH)
    await agent.shows(lambda beat: beat.units and agent.unit(beat, "b").state == "live")
    family = agent.family()
    assert len(family) == 3
    await agent.end(signal.SIGKILL)
    await agent.all_end(family)


async def test_an_agent_without_its_fork_server_ends(agent: Any) -> None:
    """No worker can be started any more: the agent ends with exit code 1 and says why, to be started again."""
    await agent.start()
    await agent.configure({"a": "count"}, **EACH)
    beat = await agent.shows_live("a")
    (server,) = set(agent.family()) - {beat.workers[0].pid}
    os.kill(server, signal.SIGKILL)
    assert await agent._process.wait() == 1
    assert "fork server has ended" in agent.log()


async def test_logs_of_workers_name_them(agent: Any) -> None:
    """A line that a unit logs in a worker is in the log of the agent, with the worker's name."""
    await agent.start()
    await agent.configure({"a": "fail"}, workers=1)
    await agent.shows(lambda beat: bool(beat.last_errors))
    (line,) = [line for line in agent.log().splitlines() if '"unit failed' in line and "a defect" in line]
    assert '"worker":"1"' in line
