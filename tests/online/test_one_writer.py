"""Several updaters of one model, paused, cut off and killed at any point, leave no wrong value anywhere."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.online import log_lease
from tests.online.log_world import KilledError, Reader, Updater, World, contains, expected_state, state_of

Action = tuple
NUMBERS = st.integers(0, 5)
MODES = st.sampled_from(["up", "up", "up", "lost", "unacknowledged", "torn"])
PLAIN = st.one_of(
    st.tuples(st.just("post"), st.integers(1, 3)),
    st.tuples(st.just("look"), NUMBERS, MODES),
    st.tuples(st.just("publish"), NUMBERS, MODES),
    st.tuples(st.just("turn"), NUMBERS, MODES),
    st.tuples(st.just("turn"), NUMBERS, MODES),
    st.tuples(st.just("arrive"), NUMBERS, st.sampled_from([0.0, 0.5, 1.0, 1.0])),
    st.tuples(st.just("compact"), st.integers(0, 10_000)),
    st.tuples(st.sampled_from(["start", "kill"]), NUMBERS),
    st.tuples(st.sampled_from(["reader", "read"]), NUMBERS),
)
PAUSED = st.tuples(st.sampled_from(["look", "publish", "turn"]), NUMBERS, MODES, st.lists(PLAIN, max_size=8))
"""A step whose process is paused while its request is under way, and what happens meanwhile."""
PROGRAMS = st.lists(st.one_of(PLAIN, PLAIN, PAUSED), min_size=15, max_size=40)


class Machine:
    """Carries out actions and checks after each what the readers say of themselves."""

    def __init__(self) -> None:
        self.world = World()
        for action in [("start", 0), ("start", 0), ("reader", 0)]:
            self.carry_out(action)

    def carry_out(self, action: Action) -> None:
        name, *values = action
        getattr(self, f"do_{name}")(*values)
        self.check()

    def do_post(self, count: int) -> None:
        self.world.posted += count

    def do_start(self, number: int) -> None:
        if len(self.world.updaters) < 3:
            self.world.updaters.append(Updater(self.world))

    def do_kill(self, number: int) -> None:
        if updaters := self.world.updaters:
            updaters.pop(number % len(updaters)).wire.dead = True

    def do_look(self, number: int, mode: str, meanwhile: list[Action] = ()) -> None:
        self._step(number, mode, meanwhile, Updater.look)

    def do_publish(self, number: int, mode: str, meanwhile: list[Action] = ()) -> None:
        self._step(number, mode, meanwhile, Updater.publish)

    def do_turn(self, number: int, mode: str, meanwhile: list[Action] = ()) -> None:
        """A post, and one process that looks and publishes it."""
        self.world.posted += 1
        self._step(number, "up", [], Updater.look)
        self._step(number, mode, meanwhile, Updater.publish)

    def _step(self, number: int, mode: str, meanwhile: list[Action], step: Callable[[Updater], None]) -> None:
        idle = [updater for updater in self.world.updaters if not updater.busy]
        if not idle:
            return
        updater = idle[number % len(idle)]
        updater.busy, updater.wire.mode = True, mode
        updater.wire.meanwhile = lambda: [self.carry_out(action) for action in meanwhile] and None
        try:
            with suppress(KilledError):
                step(updater)
        finally:
            updater.busy, updater.wire.mode, updater.wire.meanwhile = False, "up", None

    def do_arrive(self, number: int, share: float) -> None:
        self.world.arrive(number, share)

    def do_compact(self, seed: int) -> None:
        self.world.compact(seed)

    def do_read(self, number: int) -> None:
        self.world.readers[number % len(self.world.readers)].read(None if number > 2 else number + 1)

    def do_reader(self, number: int) -> None:
        if len(self.world.readers) < 4:
            self.world.readers.append(Reader(self.world))

    def check(self) -> None:
        everything = expected_state(self.world.posted)
        starting = Reader(self.world)
        starting.read()
        for reader in [*self.world.readers, starting]:
            state = state_of(reader.overlay)
            if (known := reader.claims_to_know) is not None:
                assert contains(state, expected_state(known)), f"it says that {known} events are in"
                assert contains(everything, state)

    def finish(self) -> None:
        """Whoever lives goes on without a fault, and everything under way arrives: all readers have the same."""
        while self.world.under_way:
            self.world.arrive(0, 1.0)
        self.do_start(0)
        for number in range(20):
            for updater in self.world.updaters:
                updater.look()
                updater.publish()
            self.world.compact(number)
        self.world.readers.append(Reader(self.world))
        everything = expected_state(self.world.posted)
        for reader in self.world.readers:
            reader.read()
            assert reader.claims_to_know == self.world.posted
            assert state_of(reader.overlay) == everything
        assert sum(updater.lease.tenure is not None for updater in self.world.updaters) == 1


@pytest.fixture(autouse=True, scope="module")
def impatient():
    """Updaters take over from one another at the first occasion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_lease, "SILENT_LOOKS", 1)
        yield


@settings(max_examples=80, deadline=None)
@given(PROGRAMS)
def test_readers_know_what_they_say_they_know_and_end_with_the_same_state(program):
    machine = Machine()
    for action in program:
        machine.carry_out(action)
    machine.finish()
