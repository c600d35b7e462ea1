"""A pinned champion stays until somebody lifts the pin, whatever is trained meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import orjson
import pytest

from millrace.errors import ConflictError, MillraceError, NotFoundError
from millrace.registry import promotion
from millrace.registry.champion import Pin, format_champion, parse_champion
from millrace.registry.promotion import claim_key
from millrace.registry.registry import Registry, champion_key
from tests.registry.made import made

MODEL = ("courses", "popularity")


def publish(registry: Registry, seed: int) -> str:
    return registry.publish(*made(*MODEL, seed)).version


def train(registry: Registry, seed: int) -> bool:
    """What a training does at its end; whether its version was promoted."""
    champion, version = registry.champion(*MODEL), publish(registry, seed)
    try:
        registry.promote(*MODEL, version, champion)
    except ConflictError as error:
        if error.code != "pinned":
            raise
        return False
    return True


@pytest.fixture
def versions(registry):
    """Two versions, of which the later one is the champion."""
    result = [publish(registry, seed) for seed in (1, 2)]
    for version in result:
        registry.promote(*MODEL, version)
    return result


def test_rollback_holds_through_later_trainings_until_the_pin_is_lifted(registry, versions):
    champion = registry.rollback(*MODEL)
    assert (champion.version, champion.pin.by) == (versions[0], "rollback")
    assert [train(registry, seed) for seed in (3, 4)] == [False, False]
    assert registry.champion(*MODEL) == champion
    assert len(registry.versions(*MODEL)) == 4
    assert registry.unpin(*MODEL).pin is None
    assert train(registry, 5)
    assert registry.champion(*MODEL).history == [versions[0]]


def test_refusal_names_the_pinned_version_the_time_the_command_and_the_cure(registry, versions):
    pin = registry.rollback(*MODEL).pin
    with pytest.raises(ConflictError) as caught:
        registry.promote(*MODEL, publish(registry, 3))
    assert caught.value.message == (
        f"pinned to {versions[0]} since {pin.since} by rollback; `millrace models unpin courses/popularity` lifts it"
    )
    assert datetime.now(UTC) - datetime.fromisoformat(pin.since) < timedelta(minutes=1)


def test_training_that_began_before_the_rollback_is_told_of_the_pin(registry, versions):
    judged_against, version = registry.champion(*MODEL), publish(registry, 3)
    registry.rollback(*MODEL)
    with pytest.raises(ConflictError, match=f"pinned to {versions[0]} since"):
        registry.promote(*MODEL, version, judged_against)


def test_explicit_promotion_lifts_the_pin(registry, versions):
    registry.rollback(*MODEL)
    champion = registry.promote(*MODEL, versions[1], lift_pin=True)
    assert (champion.version, champion.pin, champion.history) == (versions[1], None, [versions[0]])
    assert train(registry, 3)


def test_explicit_promotion_of_the_pinned_version_lifts_the_pin_and_keeps_the_rest(registry, versions):
    pinned = registry.rollback(*MODEL)
    assert registry.promote(*MODEL, versions[0]) == pinned
    champion = registry.promote(*MODEL, versions[0], lift_pin=True)
    assert (champion.version, champion.pin) == (versions[0], None)
    assert (champion.promoted_at, champion.history) == (pinned.promoted_at, pinned.history)
    assert registry.champion(*MODEL) == champion


def test_champion_is_pinned_and_unpinned_where_it_is(registry, versions):
    before = registry.champion(*MODEL)
    pinned = registry.pin(*MODEL)
    assert (pinned.version, pinned.promoted_at, pinned.history) == (versions[1], before.promoted_at, before.history)
    assert pinned.pin.by == "pin"
    assert registry.pin(*MODEL) == registry.pin(*MODEL, versions[1]) == pinned
    assert not train(registry, 3)
    assert registry.rollback(*MODEL).pin.by == "rollback"
    registry.unpin(*MODEL)
    unpinned = registry.champion(*MODEL)
    assert registry.unpin(*MODEL) == unpinned


def test_any_version_can_be_promoted_and_pinned_in_one_write(registry, versions):
    champion = registry.pin(*MODEL, versions[0])
    assert (champion.version, champion.history) == (versions[0], versions)
    assert not train(registry, 3)


def test_first_champion_can_be_pinned(registry):
    version = publish(registry, 1)
    assert registry.pin(*MODEL, version).pin is not None
    assert registry.champion(*MODEL).history == []


def test_what_can_not_be_pinned_is_rejected_and_changes_nothing(registry):
    for change in (registry.pin, registry.unpin):
        with pytest.raises(NotFoundError, match="courses/popularity has no champion yet"):
            change(*MODEL)
    with pytest.raises(NotFoundError, match="There is no version"):
        registry.pin(*MODEL, "20260101T000000Z-00000000")
    assert registry.champion(*MODEL) is None


def test_pin_lifted_and_set_again_meets_no_claim_of_its_past(registry, versions):
    """champion.json never has the same content twice, or the claim of the first pin would refuse the second."""
    etags = [registry.champion(*MODEL).etag]
    for _ in range(3):
        etags += [registry.pin(*MODEL).etag, registry.unpin(*MODEL).etag]
    assert len(set(etags)) == len(etags)
    assert train(registry, 3)


@pytest.mark.parametrize("attempt", range(4))
def test_pin_is_never_lost_to_a_promotion_at_the_same_moment(registry, versions, attempt):
    """Either the rollback is told that it lost, or its version is served, pinned."""
    before, candidate, start = registry.champion(*MODEL), publish(registry, 3), Barrier(2)

    def run(change) -> str:
        start.wait()
        try:
            return change().version
        except MillraceError as error:
            return f"{type(error).__name__} {error.code}"

    changes = (lambda: registry.rollback(*MODEL), lambda: registry.promote(*MODEL, candidate, before))
    with ThreadPoolExecutor(2) as pool:
        rolled_back, promoted = pool.map(run, changes)
    champion = registry.champion(*MODEL)
    if rolled_back == versions[0]:
        assert (champion.version, champion.pin.by) == (versions[0], "rollback")
        assert promoted in ("ConflictError lost_race", "ConflictError pinned")
    elif promoted == candidate and rolled_back == versions[1]:  # the rollback came last: it took back the promotion
        assert (champion.version, champion.pin.by) == (versions[1], "rollback")
    else:
        assert (rolled_back, promoted) == ("ConflictError lost_race", candidate)
        assert (champion.version, champion.pin) == (candidate, None)


def test_interrupted_pin_is_finished_by_the_promotion_that_meets_it(registry, versions, monkeypatch):
    before, now, pin = registry.champion(*MODEL), datetime.now(UTC).isoformat(), Pin("2026-11-29T05:00:00+00:00", "pin")
    content = format_champion(before.version, before.promoted_at, before.history, pin, now)
    registry.store.put_if_absent(claim_key(*MODEL, before.etag), content)
    candidate = publish(registry, 3)
    with pytest.raises(ConflictError, match="got another champion or pin"):  # it may still be at work
        registry.promote(*MODEL, candidate)
    assert registry.champion(*MODEL) == before
    monkeypatch.setattr(promotion, "CLAIM_TIMEOUT", timedelta(0))
    with pytest.raises(ConflictError):
        registry.promote(*MODEL, candidate)
    assert registry.champion(*MODEL).pin == pin


def test_champion_file_without_a_pin_is_read_as_not_pinned(registry, versions):
    document = {"version": versions[1], "promoted_at": "then", "previous": versions[0], "history": [versions[0]]}
    registry.store.put(champion_key(*MODEL), orjson.dumps(document))
    champion = registry.champion(*MODEL)
    assert (champion.pin, champion.updated_at) == (None, "then")
    assert registry.rollback(*MODEL).pin is not None
    stored = orjson.loads(registry.store.get(champion_key(*MODEL))[0])
    assert stored.keys() == document.keys() | {"pin", "updated_at"}
    assert stored["pin"]["by"] == "rollback"


@pytest.mark.parametrize("pin", [1, "x", [], {"since": "now"}, {"since": 1, "by": "pin"}])
def test_champion_file_with_an_invalid_pin_is_corrupt(pin):
    document = {"version": "a", "promoted_at": "b", "history": [], "pin": pin}
    with pytest.raises(MillraceError, match=r"champion\.json can't be read") as caught:
        parse_champion(orjson.dumps(document), "etag")
    assert caught.value.code == "corrupt"
