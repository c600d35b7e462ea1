"""From the lake to an answer: what Spark gave each record of the training set is what the API answers."""

import time

import orjson
import pytest

from millrace.errors import CorruptError
from millrace.lake import gaps, gaps_table_name, tables
from millrace.lake.catalog import load_catalog
from millrace.lake.progress import wait_until_landed
from millrace.recommend import loading
from millrace.recommend.top_items import clean_history
from millrace.registry.registry import Registry
from millrace.runtime import http
from millrace.runtime.text_arrays import read_text_arrays
from millrace.settings import settings
from millrace.training import dataset, offsets
from millrace.training.context import TrainingContext
from millrace.training.options import TrainingOptions
from millrace.training.train import train_models
from millrace.workloads import find_workload, load_workloads
from tests.pipeline.command import millrace


def champions_served(expected: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        result = http.get(f"http://127.0.0.1:{settings().api_port}/v1/models").json()
        if expected.items() <= {one["model"]: one["version"] for one in result}.items():
            return
        assert time.monotonic() < deadline, f"the API serves {result}"
        time.sleep(0.2)


def test_all_models_of_all_workloads_were_trained_and_promoted(trained):
    assert set(trained) == {f"{w.name}/{m.name}" for w in load_workloads().values() for m in w.models}
    assert all(result["promoted"] for result in trained.values())


def test_api_predicts_same_cluster_as_training_for_every_training_record(trained, spark):
    champions_served({name: result["version"] for name, result in trained.items()})
    for name, result in trained.items():
        workload = find_workload(result["workload"])
        if workload.model(result["model"]) not in workload.clusterings:
            continue
        model = workload.model(result["model"])
        fields = [feature.field for feature in model.features]
        rows = dataset.read_snapshot(spark, workload, result["snapshot_id"])
        bounds = offsets.audit_offsets(rows).ranges
        records = dataset.deduplicate(rows, workload, bounds).rows
        parameters = spark.table(f"iceberg.millrace.{workload.name}_assignments").where(
            f"model = '{model.name}' AND version = '{result['version']}'"
        )
        together = records.join(parameters, "record_id").select("cluster", *fields).toArrow().to_pylist()
        manifest = Registry().manifest(workload.name, model.name, result["version"])
        assert len(together) == manifest.data.fitted + manifest.data.held_out
        assert len(together) + manifest.data.without_features == result["rows"] == records.count()
        questions = [{field: row[field] for field in fields} for row in together]
        url = f"http://127.0.0.1:{settings().api_port}/v1/{name}/predict"
        answers, as_json = [], {"Content-Type": "application/json"}
        for start in range(0, len(questions), 5000):
            part = orjson.dumps(questions[start : start + 5000])
            answers += http.post(url, content=part, headers=as_json, timeout=30).raise_for_status().json()
        assert [answer["cluster"] for answer in answers] == [row["cluster"] for row in together], name
        assert {answer["version"] for answer in answers} == {result["version"]}


@pytest.mark.parametrize("name", ["shop", "mooc"])
def test_every_accepted_event_is_used_and_api_answers_match_training(trained, spark, name):
    result = trained[f"{name}/recommendations"]
    champions_served({f"{name}/recommendations": result["version"]})
    manifest, arrays = Registry().load(name, "recommendations", result["version"])
    rows = dataset.read_snapshot(spark, find_workload(name), result["snapshot_id"])
    assert result["rows"] == rows.select(*find_workload(name).identity).distinct().count()
    assert (
        len(arrays["history_items"])
        == rows.where("user_id IS NOT NULL").select(*find_workload(name).identity).distinct().count()
    )
    assert manifest.parameters["compared"]
    model = loading.load_model(manifest.algorithm, arrays)
    url = f"http://127.0.0.1:{settings().api_port}/v1/{name}/recommendations"
    texts = read_text_arrays(arrays)
    for index in range(0, len(texts["users"]), 25):
        user = texts["users"][index]
        history = arrays["history_items"][arrays["history_starts"][index] : arrays["history_starts"][index + 1]]
        answer = http.get(f"{url}/{user}?n=7").raise_for_status().json()
        expected = model.top(clean_history(history, model.items), 7)
        assert [item["id"] for item in answer["items"]] == [texts["item_ids"][item] for item in expected.items]
        assert not set(expected.items.tolist()) & set(history.tolist())
        assert answer["version"] == result["version"]


def test_api_sales_match_lake(trained, spark):
    result = trained["shop/sales"]
    champions_served({"shop/sales": result["version"]})
    rows = dataset.read_snapshot(spark, find_workload("shop"), result["snapshot_id"])
    lines = rows.dropDuplicates(list(find_workload("shop").identity)).select("order_id", "price", "user_id").toArrow()
    answer = http.get(f"http://127.0.0.1:{settings().api_port}/v1/shop/sales").raise_for_status().json()
    assert answer["version"] == result["version"]
    assert answer["total"]["items"] == result["rows"] == lines.num_rows
    assert answer["total"]["orders"] == len(set(lines.column("order_id").to_pylist()))
    assert answer["total"]["buyers"] == len({user for user in lines.column("user_id").to_pylist() if user})
    assert answer["total"]["revenue"] == pytest.approx(sum(lines.column("price").to_pylist()), abs=0.01)
    kept = spark.table("iceberg.millrace.shop_sales_daily").toArrow().column("revenue").to_pylist()
    assert float(sum(kept)) == answer["total"]["revenue"]


@pytest.mark.thorough
def test_second_version_is_compared_with_first_on_same_users(trained, spark):
    workload = find_workload("mooc")
    options = TrainingOptions(snapshot_id=trained["mooc/recommendations"]["snapshot_id"])
    again = next(iter(train_models(spark, workload, options)))
    assert again["promoted"]
    assert f"of {trained['mooc/recommendations']['version']} for the same" in again["gate"]
    assert again["ndcg@10"] == pytest.approx(trained["mooc/recommendations"]["ndcg@10"], abs=0.02)


def test_lake_holds_exactly_what_was_published(trained, spark):
    for workload in load_workloads().values():
        messages = wait_until_landed(workload)
        rows = spark.table(f"iceberg.millrace.{workload.name}")
        assert rows.count() == messages == tables.count_rows(workload.name)
        assert rows.select("kafka_partition", "kafka_offset").distinct().count() == messages
        kinds = {field.name: field.dataType.simpleString() for field in rows.schema}
        assert kinds["kafka_offset"] == "bigint"
        assert kinds["record_id"] == "string"


def test_retraining_on_same_snapshot_gives_same_centres(trained, spark):
    workload = find_workload("rentals")
    snapshot = trained["rentals/size"]["snapshot_id"]
    again = next(iter(train_models(spark, workload, TrainingOptions(snapshot_id=snapshot))))
    first = Registry().load("rentals", "size", trained["rentals/size"]["version"])[1]
    second = Registry().load("rentals", "size", again["version"])[1]
    assert all((first[name] == second[name]).all() for name in first)


def test_windows_are_cumulative_thirds_recorded_as_offset_ranges(trained, spark):
    workload = find_workload("rentals")
    results = {r["window"]: r for r in train_models(spark, workload, TrainingOptions(windows=("1/3", "2/3", "all")))}
    spans = {
        window: Registry().manifest("rentals", "size", result["version"]).data.offsets
        for window, result in results.items()
    }
    for partition, (first, last) in spans["all"].items():
        total = last - first + 1
        assert spans["1/3"][partition] == (first, first + total // 3 - 1)
        assert spans["2/3"][partition] == (first, first + total * 2 // 3 - 1)
    # Not strictly: other tests of the run have published the same records several times.
    assert 0 < results["1/3"]["rows"] <= results["2/3"]["rows"] <= results["all"]["rows"]


def test_trace_links_version_to_snapshot_offsets_and_code(trained):
    result = trained["courses/popularity"]
    code, actual, _ = millrace("trace", "courses/popularity", result["version"])
    assert code == 0
    assert actual["data"]["snapshot_id"] == result["snapshot_id"]
    assert sum(last - first + 1 for first, last in actual["data"]["offsets"].values()) >= result["rows"]
    assert actual["code_version"].startswith("0.3.0")
    assert actual["parameters"]["k"] == result["k"]


def test_missing_offset_aborts_training_and_reports_its_position(trained, spark):
    workload = find_workload("rentals")
    rows = dataset.read_snapshot(spark, workload, trained["rentals/size"]["snapshot_id"])
    lost = rows.where("NOT (kafka_partition = 1 AND kafka_offset BETWEEN 5 AND 7)")
    audit = offsets.audit_offsets(lost)
    assert (1, 5, 7) in audit.gaps
    unexplained = gaps.find_unexplained(workload, audit.gaps)
    assert unexplained == [(1, 5, 7)]
    with pytest.raises(CorruptError, match="3 in all, the first gap is partition 1 offsets 5 to 7"):
        offsets.check_audit(audit, "rentals", {}, unexplained)


def test_accepted_gap_is_written_down_and_does_not_refuse_the_next_training(trained, spark, monkeypatch):
    workload = find_workload("rentals")
    snapshot = trained["rentals/size"]["snapshot_id"]
    whole = dataset.read_snapshot(spark, workload, snapshot)
    lost = whole.where("NOT (kafka_partition = 1 AND kafka_offset BETWEEN 9 AND 11)")
    monkeypatch.setattr(dataset, "read_snapshot", lambda *_: lost)

    def prepare(accept_gaps: bool = False) -> None:
        TrainingContext(spark, Registry(), workload, TrainingOptions(snapshot_id=snapshot, accept_gaps=accept_gaps))

    with pytest.raises(CorruptError, match="3 in all, the first gap is partition 1 offsets 9 to 11"):
        prepare()
    prepare(accept_gaps=True)
    try:
        prepare()
        rows = spark.table("iceberg.millrace.rentals_gaps").where("reason = 'accepted'").collect()
        assert [(row["partition"], row["first"], row["last"]) for row in rows] == [(1, 9, 11)]
        # All else is checked as ever: rows that an earlier training has read must be there.
        monkeypatch.setattr(dataset, "read_snapshot", lambda *_: lost.where("kafka_partition != 0"))
        with pytest.raises(CorruptError, match=r"An earlier training read rentals\.records up to partition 0"):
            prepare(accept_gaps=True)
    finally:
        load_catalog().load_table(gaps_table_name("rentals")).delete("reason = 'accepted'")


def test_loss_of_rows_read_by_earlier_training_aborts_next_training(trained, spark):
    rows = dataset.read_snapshot(spark, find_workload("rentals"), trained["rentals/size"]["snapshot_id"])
    audit = offsets.audit_offsets(rows)
    first, last = audit.ranges["0"]
    with pytest.raises(CorruptError, match=f"up to partition 0 offset {last + 1}"):
        offsets.check_audit(audit, "rentals", {"0": (first, last + 1)}, [])


def test_duplicate_row_is_counted_and_read_once(trained, spark):
    workload = find_workload("rentals")
    rows = dataset.read_snapshot(spark, workload, trained["rentals/size"]["snapshot_id"])
    doubled = rows.union(rows.where("kafka_partition = 0"))
    audit = offsets.audit_offsets(doubled)
    assert audit.repeated == rows.where("kafka_partition = 0").count()
    once = dataset.deduplicate(rows, workload, audit.ranges)
    twice = dataset.deduplicate(doubled, workload, audit.ranges)
    assert twice.kept == once.kept
    assert twice.repeated == once.repeated + audit.repeated
