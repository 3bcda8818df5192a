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
    A new group goes to the worker with the least load, in % of a core; one that is not measured yet counts as much as
    the average of the others, whatever the number of its units.
    """
    found = {unit: placed[unit] for unit in groups if placed.get(unit) in workers}
    homes = {groups[unit]: worker for unit, worker in found.items()}
    counts = Counter(homes.values())
    share = max(1.0, sum(load.get(worker, 0.0) for worker in counts) / max(1, len(homes)))
    loads = {worker: load.get(worker, 0.0) if counts[worker] else 0.0 for worker in workers}
    for unit, group in sorted(groups.items()):
        if unit not in found and group not in homes:
            # Of equally busy workers the one with fewer groups: before anything was measured that is all that is known.
            home = homes[group] = min(workers, key=lambda worker: (loads[worker], counts[worker]))
            loads[home] += share
            counts[home] += 1
        found[unit] = homes[group]
    return found
