"""Posted events in recommendations, over the real broker, updater and API with two workers."""

from contextlib import closing

import orjson

from millrace.messaging.fence import read_current
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from millrace.online.log_lease import Tenure
from millrace.online.updater import delete_versions
from millrace.online.version_base import VersionBase
from millrace.online.version_follower import VersionFollower
from millrace.registry.manifest import ManifestDraft
from millrace.registry.registry import Registry
from millrace.runtime import http
from millrace.runtime.text_arrays import read_text_arrays
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.online.live_api import (
    Poster,
    answers,
    as_replayed,
    caught_up,
    child,
    current_claim,
    enrolment,
    every,
    kill,
    now,
    post,
    serves,
    until,
    url,
    watching,
    workers,
)
from tests.online.replay import Replay


def item_ids(arrays) -> list[str]:
    return read_text_arrays(arrays)["item_ids"].to_list()


def test_event_changes_its_users_recommendations_on_every_worker(champion):
    manifest, arrays = champion
    user, course = "live-1", item_ids(arrays)[int(arrays["popular"][0])]
    before = http.get(url(f"/v1/mooc/recommendations/{user}")).json()
    assert before["fallback"] == "popularity"
    taken = post(enrolment(user, course))
    assert taken["accepted"] == 1
    assert set(taken["positions"][0]) == {"partition", "offset", "record_id"}
    until(lambda: all(course not in dict(one) and one[0][1] > 0 for one in answers(user)), "all workers have changed")
    as_replayed(manifest, arrays, [user])


def test_transitions_posted_by_some_users_change_others_recommendations(champion):
    manifest, arrays = champion
    first, then = (item_ids(arrays)[int(item)] for item in arrays["popular"][[3, -1]])
    post(enrolment("watcher", first))
    until(every(caught_up), "the event is in")
    assert then not in dict(answers("watcher", 3)[0])
    post([enrolment(f"live-pair-{one}", item) for one in range(40) for item in (first, then)])
    until(lambda: all(one[0][0] == then for one in answers("watcher", 3)), "the new pair leads")
    as_replayed(manifest, arrays, ["watcher", "live-pair-7"])


def test_event_posted_twice_counts_once(champion):
    manifest, arrays = champion
    courses = item_ids(arrays)[:6]
    events = [enrolment("live-twice", course, now()) | {"event_id": f"e-{course}"} for course in courses]
    first, again = post(events), post(events)
    assert [one["record_id"] for one in first["positions"]] == [one["record_id"] for one in again["positions"]]
    known_user = read_text_arrays(arrays)["users"][0]
    as_replayed(manifest, arrays, ["live-twice", known_user])
    history = http.get(url("/v1/mooc/history/live-twice")).json()
    assert [item["id"] for item in history["items"]] == courses


def test_reposted_snapshot_event_changes_nothing(champion):
    record = orjson.loads(next(read_all("mooc.records")).value)
    before = http.get(url(f"/v1/mooc/history/{record['user_id']}?n=1000")).json()
    post({name: record[name] for name in ("user_id", "course_id", "enrolled_at")})
    until(every(caught_up), "the event is read")
    after = http.get(url(f"/v1/mooc/history/{record['user_id']}?n=1000")).json()
    assert after == before


def test_future_times_from_another_producer_change_no_other_users_answers(champion):
    manifest, arrays = champion
    first = [item for item, _ in answers("nobody-knows-me", 5)[0]]
    course = item_ids(arrays)[int(arrays["popular"][-1])]
    with closing(make_producer()) as client:
        # 2150 is no time that a contract allows; the sink takes it all the same.
        for number, year in enumerate((2099, 2150)):
            event = enrolment(f"live-future-{number}", course, f"{year}-12-31T00:00:00+00:00")
            record = orjson.dumps(event | {"record_id": f"future-{number}"})
            client.send("mooc.records", event["user_id"].encode(), record)
        client.flush()
    post(enrolment("live-future-0", item_ids(arrays)[int(arrays["popular"][-2])], now()))
    as_replayed(manifest, arrays, ["live-future-0", "live-future-1"])
    assert [item for item, _ in answers("nobody-knows-me", 5)[0]] == first


def test_item_unknown_to_version_stays_in_history(champion):
    manifest, arrays = champion
    post([enrolment("live-new", "C_brand_new"), enrolment("live-new", item_ids(arrays)[0])])
    as_replayed(manifest, arrays, ["live-new"])
    history = http.get(url("/v1/mooc/history/live-new")).json()
    assert history["items"][0] == {"id": "C_brand_new", "name": "C_brand_new"}


def test_events_survive_promotion_and_rollback_in_old_and_new_processes(champion):
    manifest, arrays = champion
    registry = Registry()
    user = "live-swap"
    post([enrolment(user, item_ids(arrays)[number]) for number in (2, 5, 7)])
    as_replayed(manifest, arrays, [user])
    draft = {name: getattr(manifest, name) for name in ManifestDraft.model_fields}
    second = registry.publish(ManifestDraft(**draft | {"code_version": "again"}), arrays).version
    with watching(user) as different:
        old = workers()
        kill(old[0])
        registry.promote("mooc", "recommendations", second)
        until(lambda: len(set(workers()) - set(old)) == 1, "a new process", seconds=120)
        until(serves(second), "the second version is served")
        registry.rollback("mooc", "recommendations")
        until(serves(manifest.version), "the first version is served again")
    assert not different, "an answer fell back"
    as_replayed(manifest, arrays, [user, "watcher"])


def test_accepted_events_count_once_per_replica_after_updater_worker_and_broker_kills(champion):
    manifest, arrays = champion
    poster = Poster(item_ids(arrays))
    poster.start()

    def on(more: int = 40) -> None:
        """It goes on: so many more are accepted."""
        begin = len(poster.accepted)
        until(lambda: len(poster.accepted) >= begin + more, "events are accepted", seconds=120)

    try:
        on()
        restarts = child("online")["restarts"]
        kill(child("online")["pid"])
        until(lambda: child("online")["restarts"] > restarts, "the updater is started again")
        on()
        until(lambda: len(workers()) == settings().api_workers, "all workers run")
        kill(workers()[0])
        on()
        restarts = child("kafka")["restarts"]
        kill(child("kafka")["pid"])
        until(lambda: child("kafka")["restarts"] > restarts, "the broker is started again")
        on()
    finally:
        poster.stop.set()
        poster.join()
    report = {(one["user_id"], one["course_id"], one["enrolled_at"]) for one in poster.accepted}
    assert len(report) == len(poster.accepted) >= 160
    as_replayed(manifest, arrays, ["killed-0", "killed-7", "watcher"])
    replay = Replay(manifest, arrays)
    for user in {one["user_id"] for one in poster.accepted}:
        mine, history = [one["course_id"] for one in poster.accepted if one["user_id"] == user], replay.history(user)
        # The one that was under way at the end may be there without having been accepted.
        assert history[: len(mine)] == mine
        assert len(history) <= len(mine) + 1


def test_missing_kafka_events_are_reported_and_deleted_version_is_retracted(champion):
    manifest, arrays = champion
    workload = find_workload("mooc")
    (model,) = workload.recommenders
    tenure = Tenure(current_claim())
    base = VersionBase.from_version(workload, model, manifest, arrays)
    lost = VersionFollower(VersionBase(**base.__dict__ | {"version": "lost"}), {0: 10**9}, tenure)
    lost.start()
    key = f"{model.name}/lost/watermark".encode()

    def output() -> dict[bytes, bytes | None]:
        return {one.key: one.value for one in read_current("mooc.deltas", model.name) if one.key == key}

    until(lambda: key in output(), "the fault is published")
    assert "`millrace train mooc`" in orjson.loads(output()[key])["error"]
    lost.ended.set()
    lost.join(30)
    assert not lost.is_alive()
    delete_versions(workload, model, tenure, {manifest.version})
    assert output()[key] is None
