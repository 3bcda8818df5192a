"""Which worker runs which unit. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence


def place(
    groups: Mapping[str, str],
    placed: Mapping[str, str],
    workers: Sequence[str],
    load: Mapping[str, float],
) -> dict[str, str]:
    """Return the worker of each unit.

    `groups` names each unit's group, which stays together; `placed` says where units are already: they stay there.
    A new group goes to the worker with the least load, in % of a core; a unit not measured yet counts as much as the
    average of the others.
    """
    found = {unit: placed[unit] for unit in groups if placed.get(unit) in workers}
    homes = {groups[unit]: worker for unit, worker in found.items()}
    counts = Counter(found.values())
    share = max(1.0, sum(load.get(worker, 0.0) for worker in counts) / max(1, len(found)))
    loads = {worker: load.get(worker, 0.0) if counts[worker] else 0.0 for worker in workers}
    for unit, group in sorted(groups.items()):
        if unit in found:
            continue
        # Of equally busy workers the one with fewer units: before anything was measured that is all that is known.
        home = homes.get(group) or min(workers, key=lambda worker: (loads[worker], counts[worker]))
        found[unit] = homes[group] = home
        loads[home] += share
        counts[home] += 1
    return found
