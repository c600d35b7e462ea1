"""Training when so many new rows have landed, through the command line, as a schedule runs it."""

import json
import queue
import signal
import threading

import pytest

from millrace.ingest.publish import ingest_source
from millrace.lake.progress import wait_until_landed
from millrace.registry.registry import Registry
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pipeline.command import millrace, running


@pytest.mark.parametrize("names", [("rentals",), pytest.param(("rentals", "products"), marks=pytest.mark.thorough)])
def test_follow_trains_all_workloads_immediately_and_again_after_n_new_rows(stack, tmp_path, names):
    workload, *others = [find_workload(name) for name in names]
    seed = 50 + 10 * len(names)  # other rows than of the first case: those that are repeated count once
    for each in (workload, *others):
        ingest_source(each, str(generated(each, 600, seed, tmp_path)))
        wait_until_landed(each)
    results: queue.Queue[dict] = queue.Queue()

    def read(lines) -> None:
        for line in lines:
            results.put(json.loads(line))

    with running("train", *names, "--follow", "--every", "500rows", "--window", "all") as process:
        reader = threading.Thread(target=read, args=[process.stdout], daemon=True)
        reader.start()
        try:
            first = results.get(timeout=180)
            also = [results.get(timeout=180) for other in others for _ in other.models]
            ingest_source(workload, str(generated(workload, 600, seed + 1, tmp_path)))
            second = results.get(timeout=180)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 143
            reader.join(10)
    assert [first["workload"], second["workload"]] == ["rentals", "rentals"]
    assert {(result["workload"], result["model"]) for result in also} == {
        (other.name, model.name) for other in others for model in other.models
    }
    assert second["snapshot_id"] != first["snapshot_id"]
    assert second["version"] > first["version"]
    offsets = [Registry().manifest("rentals", "size", one["version"]).data.offsets for one in (first, second)]
    new = sum(offsets[1][place][1] - offsets[0][place][1] for place in offsets[0])
    assert new >= 500


def test_model_trained_by_cli_can_be_listed_shown_and_rolled_back(stack):
    code, results, _ = millrace("train", "rentals", "--window", "all")
    assert code == 0
    version = results[0]["version"]
    if not results[0]["promoted"]:
        assert millrace("models", "promote", "rentals/size", version)[0] == 0
    _, listed, _ = millrace("models", "list", "rentals")
    assert [one["version"] for one in listed if one["champion"]] == [version]
    assert millrace("models", "show", "rentals/size", version)[1]["data"]["window"] == "all"
    code, back, _ = millrace("models", "rollback", "rentals/size")
    assert code == 0
    assert back["version"] != version


def test_training_on_empty_table_explains_what_to_do(stack):
    from millrace.lake.catalog import load_catalog

    # What an earlier test published would land in the new table.
    wait_until_landed(find_workload("rentals"))
    load_catalog().rename_table("millrace.rentals", "millrace.rentals_away")
    try:
        from millrace.lake.tables import ensure_tables

        ensure_tables([find_workload("rentals")])
        code, body, stderr = millrace("train", "rentals", "--wait", "1")
        assert code == 5
        assert "waiting, 0 of 1 s so far: The lake holds no record of rentals yet" in stderr
        assert "starting Spark" not in stderr
        assert "`millrace ingest rentals FILE`" in body["error"]["message"]
    finally:
        load_catalog().drop_table("millrace.rentals")
        load_catalog().rename_table("millrace.rentals_away", "millrace.rentals")
