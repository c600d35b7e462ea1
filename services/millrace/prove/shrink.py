"""The shortest schedule that still fails, by delta debugging.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28 (2002): `ddmin`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from millrace.prove.faults.kinds import BY_NAME
from millrace.prove.schedule import MIN_SECONDS, TAIL_S, Fault, Schedule

Fails = Callable[[Schedule], bool]
"""Whether a run of a schedule fails as the first one did."""


class Budget:
    """Runs that may be spent: each is a stack of its own, and takes minutes. What ran before is not run again."""

    def __init__(self, fails: Fails, runs: int):
        self._fails, self.left = fails, runs
        self._known: dict[Schedule, bool] = {}

    def fails(self, schedule: Schedule) -> bool:
        """Whether it fails; False, unseen, where no run is left."""
        if schedule not in self._known:
            if self.left <= 0:
                return False
            self.left -= 1
            self._known[schedule] = self._fails(schedule)
        return self._known[schedule]


def shrink(schedule: Schedule, fails: Fails, runs: int) -> Schedule:
    """The shortest schedule found with so many runs; `schedule` itself has failed.

    First as few faults as possible, each of which is needed; then shorter faults, then a shorter run. Where `runs` are
    spent before the end, it is the shortest so far.
    """
    budget = Budget(fails, runs)
    schedule = remove_faults(schedule, budget)
    schedule = shorten_faults(schedule, budget)
    return shorten_run(schedule, budget)


def remove_faults(schedule: Schedule, budget: Budget) -> Schedule:
    """`ddmin` over the faults: the result fails, and without any one of its faults it does not."""
    parts = 2
    while schedule.faults:
        if smaller := _try_removals(schedule, parts, budget):
            schedule, parts = smaller, max(2, parts - 1)
        elif parts >= len(schedule.faults):
            break
        else:
            parts = min(2 * parts, len(schedule.faults))
    return schedule


def _try_removals(schedule: Schedule, parts: int, budget: Budget) -> Schedule | None:
    count = len(schedule.faults)
    pieces = [range(count * number // parts, count * (number + 1) // parts) for number in range(parts)]
    everything = range(count)
    # The pieces alone first: where one is enough, most is gone at once. With one fault both are the empty schedule.
    removals: list[Sequence[int]] = [[index for index in everything if index not in piece] for piece in pieces]
    removals += [list(piece) for piece in pieces]
    for places in removals:
        if places and budget.fails(smaller := schedule.without(places)):
            return smaller
    return None


def shorten_faults(schedule: Schedule, budget: Budget) -> Schedule:
    """Each fault that lasts longer than its kind's shortest time, at that time where it still fails."""
    for index, fault in enumerate(schedule.faults):
        shortest = BY_NAME[fault.kind].seconds[0]
        if fault.seconds > shortest:
            shorter = _with_fault(schedule, index, replace(fault, seconds=shortest))
            schedule = shorter if budget.fails(shorter) else schedule
    return schedule


def shorten_run(schedule: Schedule, budget: Budget) -> Schedule:
    """A run that ends soon after its last fault, where it still fails."""
    end = max((fault.end for fault in schedule.faults), default=0.0) + TAIL_S
    shorter = replace(schedule, seconds=max(MIN_SECONDS, end))
    return shorter if shorter.seconds < schedule.seconds and budget.fails(shorter) else schedule


def _with_fault(schedule: Schedule, index: int, fault: Fault) -> Schedule:
    return replace(schedule, faults=(*schedule.faults[:index], fault, *schedule.faults[index + 1 :]))
