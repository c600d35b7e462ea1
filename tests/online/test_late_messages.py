"""What becomes of claims and messages that come late, case by case; test_one_writer.py tries any order of them."""

import pytest

from millrace.online import log_lease
from tests.online import made
from tests.online.log_world import MODEL, PREFIX, Reader, Updater, World, count_events, expected_state, state_of


@pytest.fixture(autouse=True, scope="module")
def impatient():
    """Updaters take over from one another at the first occasion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_lease, "SILENT_LOOKS", 1)
        yield


def make_updaters(world: World, count: int) -> list[Updater]:
    """Each has claimed the model in turn, and the last one holds it; each has published what there was."""
    world.updaters += [Updater(world) for _ in range(count)]
    for updater in world.updaters:
        while updater.lease.tenure is None:
            updater.look()
        updater.publish()
    return world.updaters


def read_new(world: World) -> Reader:
    reader = Reader(world)
    reader.read()
    return reader


def drop_superseded(world: World) -> None:
    """What a thorough compaction leaves."""
    newest = {message.key: message.offset for message in world.messages}
    world.messages = [message for message in world.messages if newest[message.key] == message.offset]


def test_batch_of_a_paused_updater_that_arrives_after_its_successors_is_published_again():
    world = World()
    slow, fast = make_updaters(world, 1)[0], Updater(world)
    running = read_new(world)
    world.posted = 1

    def succeed() -> None:
        while fast.lease.tenure is None:
            fast.look()
        world.posted = 2
        fast.publish()
        running.read()

    slow.wire.meanwhile = succeed
    slow.publish()
    for reader in (running, read_new(world)):
        reader.read()
        assert reader.overlay.doubts
    drop_superseded(world)
    assert read_new(world).claims_to_know is None, "the value that counts is gone: it says that it is not sure"
    for _ in range(2):
        fast.look()
        fast.publish()
        slow.look()
        slow.publish()
    drop_superseded(world)
    assert slow.lease.tenure is None, "it stands by"
    third = Updater(world)
    while third.lease.tenure is None:
        third.look()
    third.publish()
    for reader in (running, read_new(world)):
        reader.read()
        assert reader.claims_to_know == 2
        assert state_of(reader.overlay) == expected_state(2)


def test_value_that_does_not_count_is_published_again_although_it_is_the_right_one():
    """A process that runs has passed it over, and has an older one."""
    world = World()
    make_updaters(world, 2)
    running = read_new(world)
    world.posted = 1
    append_stale(world, 1, epoch=1)
    running.read()
    world.updaters.clear()  # the second is killed before it looks
    third = Updater(world)
    while third.lease.tenure is None:
        third.look()
        drop_superseded(world)
    third.publish()
    running.read()
    assert running.claims_to_know == 1
    assert state_of(running.overlay) == expected_state(1)


def test_claim_that_was_given_up_on_and_arrives_late_ends_the_epoch_that_its_writer_goes_by():
    world = World()
    updater = Updater(world)
    updater.wire.mode = "lost"
    updater.look()
    updater.wire.mode = "up"
    while updater.lease.tenure is None:
        updater.look()
    world.posted = 1
    updater.publish()
    tenure = updater.lease.tenure
    world.arrive(0, 1.0)
    updater.look()
    assert updater.lease.tenure is not tenure
    for _ in range(4):
        updater.look()
        updater.publish()
    reader = read_new(world)
    assert reader.claims_to_know == 1
    assert state_of(reader.overlay) == expected_state(1)


def test_updaters_that_were_replaced_stand_by_and_do_not_take_turns():
    world = World()
    updaters = make_updaters(world, 3)
    for _ in range(10):
        for updater in updaters:
            updater.look()
            updater.publish()
    epochs = {message.headers.get("epoch") for message in world.messages[-8:]}
    assert len(epochs) == 1
    assert [updater.lease.tenure is not None for updater in updaters].count(True) == 1


def test_updater_that_ends_hands_over_at_once():
    world = World()
    (first,) = make_updaters(world, 1)
    first.lease.ended.set()
    first.lease.run()
    second = Updater(world)
    second.look()
    assert second.lease.tenure is not None


def test_restarted_updater_publishes_nothing_that_the_topic_holds_already():
    world = World()
    world.posted = 3
    make_updaters(world, 1)
    world.updaters.clear()
    second = Updater(world)
    while second.lease.tenure is None:
        second.look()
    before = world.end
    second.publish()
    assert [message.key for message in world.read(before, world.end)] == [f"{PREFIX}/watermark".encode()]


def test_keys_and_claim_that_an_earlier_release_takes_back_are_published_again():
    world = World()
    world.posted = 2
    (updater,) = make_updaters(world, 1)
    for key in {message.key for message in world.messages}:
        world.append((key, None), [])
    for _ in range(6):
        updater.look()
        updater.publish()
    drop_superseded(world)
    reader = read_new(world)
    assert reader.claims_to_know == 2
    assert state_of(reader.overlay) == expected_state(2)


def test_messages_of_an_earlier_release_count_until_the_first_claim():
    world = World()
    value = b'{"items":[1]}'
    world.append((f"{made.VERSION}/user/U00".encode(), value), [])
    world.append((f"{made.VERSION}/watermark".encode(), b'{"offsets":{"0":1},"at":1.0}'), [])
    running = read_new(world)
    assert running.overlay.users == {"U00": [1]}
    assert running.claims_to_know == 1
    make_updaters(world, 1)
    world.append((f"{made.VERSION}/user/U00".encode(), None), [])
    running.read()
    assert running.overlay.users == {"U00": [1]}, "what is taken back of the earlier keys is none of the later ones"
    assert running.claims_to_know == 0


def append_stale(world: World, number: int, epoch: int) -> None:
    """What an updater of this epoch had under way of the first events."""
    for key, value in count_events(number).messages():
        world.append((key.encode(), value), [("epoch", str(epoch).encode())])


def test_process_that_starts_after_a_claim_is_sure_of_nothing_before_the_new_updater_has_published():
    """The claim that shows which values do not count is compacted away, since a later one follows."""
    world = World()
    _, second = make_updaters(world, 2)
    world.posted = 1
    second.publish()
    for key, _ in count_events(1).messages():
        world.append((key.encode(), None), [("epoch", b"1")])
    second.publish()
    world.updaters.clear()  # the second is killed before it looks
    third = Updater(world)
    while third.lease.tenure is None:
        third.look()
    drop_superseded(world)
    starting = read_new(world)
    assert starting.claims_to_know is None
    third.publish()
    starting.read()
    assert starting.claims_to_know == 1
    assert state_of(starting.overlay) == expected_state(1)


def test_what_came_while_a_claim_was_under_way_is_published_again():
    """Another claim may have come too, which nobody can see any more."""
    world = World()
    _, second = make_updaters(world, 2)
    running, epoch = read_new(world), second.writer.claim.epoch
    world.updaters.clear()
    third = Updater(world)
    third.look()

    def claim_in_between() -> None:
        world.append((f"{MODEL}/writer".encode(), b"another"), [])
        append_stale(world, 1, epoch)
        world.posted = 1
        running.read()

    third.wire.meanwhile = claim_in_between
    while third.lease.tenure is None:
        third.look()
    drop_superseded(world)
    third.publish()
    running.read()
    assert running.claims_to_know == 1
    assert state_of(running.overlay) == expected_state(1)
