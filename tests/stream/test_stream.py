"""The stream on the real broker, S3 and lake: every accepted page once in the table and once in the topics.

The tests follow each other with one stream, as a Spark for each would take minutes.
"""

import logging
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from millrace.errors import ConflictError, CorruptError, NotFoundError
from millrace.ingest.publish import ingest_source
from millrace.lake import pages_table_name
from millrace.lake.catalog import load_catalog
from millrace.records.writer import write_csv
from millrace.registry.registry import Registry, champion_key
from millrace.stream import cluster_topics, source
from millrace.stream.pages_table import PagesTable
from millrace.stream.score import PAGE, score_pages
from tests.conftest import generated
from tests.pipeline.test_kills import kill, wait_running
from tests.stream.checks import everything_once, first_copies, published, table, version
from tests.stream.made import Sent, declared, promoted
from tests.stream.running import Running, deltas, running, until


@pytest.fixture(scope="module")
def stream(stack, tmp_path_factory):
    # Another test may have promoted one.
    Registry().store.delete(champion_key("urls", "pages"))
    with running(tmp_path_factory.mktemp("stream") / "log") as result:
        yield result


def unscored() -> pa.RecordBatch:
    """Records that the table does not hold, as Spark's source gives them."""
    held = {f"{row['kafka_partition']}:{row['kafka_offset']}" for row in table().to_pylist()}
    left = [message for key, message in first_copies().items() if key not in held]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([m.partition for m in left], pa.int32()),
            pa.array([m.offset for m in left], pa.int64()),
            pa.array([m.timestamp * 1000 for m in left], pa.timestamp("us", "UTC")),
            pa.array([m.value for m in left], pa.binary()),
        ],
        ["partition", "offset", "timestamp", "value"],
    )


def places(batch: pa.RecordBatch) -> dict[int, list[int]]:
    results: dict[int, list[int]] = {}
    for partition, offset in zip(batch["partition"].to_pylist(), batch["offset"].to_pylist(), strict=True):
        results.setdefault(partition, []).append(offset)
    return results


def publish(rows: int, seed: int, folder: Path) -> None:
    result, _ = declared()
    ingest_source(result, str(generated(result, rows, seed, folder)))


def caught_up(stream: Running) -> None:
    """Wait until what is published is in the table, the topics and the deltas."""

    wanted = published()

    def done() -> bool:
        assert stream.process.poll() is None, stream.output()[-3000:]
        # Set when the deltas of a batch are acknowledged.
        return sum(value for name, value in stream.metrics().items() if name.startswith("cluster_pages")) == wanted

    until(done, "the stream's end")


def committed() -> int:
    return len(load_catalog().load_table(pages_table_name("urls")).snapshots())


def after_a_commit() -> None:
    """Return as soon as one more batch is in the table: its pages are on their way to the topics."""
    before = committed()
    until(lambda: committed() > before, "a batch")


def test_stream_waits_for_champion_then_scores_every_page_once(stream, tmp_path):
    publish(1500, 61, tmp_path)
    until(lambda: "waiting for a champion of urls/pages" in stream.output(), "the wait for a champion")
    assert stream.metrics()["running"] == 0
    first = promoted(1)
    caught_up(stream)
    rows = everything_once()
    assert set(rows.column("version").to_pylist()) == {first.version}


def test_deltas_report_all_windows_clusters_and_stream_status(stream):
    report, rows = deltas(), table()
    windows = {key: value for key, value in report.items() if key.startswith("window/")}
    assert sum(item["total"] for item in windows.values()) == rows.num_rows
    assert all(key == f"window/{item['start']}" and item["seconds"] == 10 for key, item in windows.items())
    labels = version(report["stream"]["version"])[0]
    sizes = rows.column("cluster").value_counts().to_pylist()
    clusters = [report[f"cluster/{number}"] for number in range(len(labels))]
    assert [item["label"] for item in clusters] == labels
    assert {item["cluster"]: item["size"] for item in clusters if item["size"]} == {
        item["values"]: item["counts"] for item in sizes
    }
    assert sum(item["share"] for item in clusters) == pytest.approx(1, abs=1e-4)
    largest = max(clusters, key=lambda item: item["size"])
    assert len(largest["words"]) == 10
    assert largest["hosts"]
    assert len(largest["examples"]) == 5


def test_new_champion_scores_later_batches_and_becomes_drift_baseline(stream, tmp_path):
    before = table().num_rows
    first, second = deltas()["stream"]["version"], promoted(2).version
    until(lambda: deltas()["stream"]["version"] == second, "the new champion")
    assert deltas()["cluster/0"]["label"] == version(second)[0][0]
    result, _ = declared()
    shop = [
        {"creation_time": "2023-05-17 12:00:00", "id": str(number), "url": f"https://sale.example.org/shoes/{number}"}
        for number in range(400)
    ]
    write_csv(tmp_path / "shop.csv", shop[0], shop)
    ingest_source(result, str(tmp_path / "shop.csv"))
    caught_up(stream)
    measured = stream.metrics()
    assert measured["psi"] > 0.25
    assert measured["inertia_ratio"] > 0
    assert measured["moved"] > 0
    assert measured[f'version{{version="{second}",workload="urls"}}'] == 1
    Registry().rollback("urls", "pages")
    until(lambda: deltas()["stream"]["version"] == first, "the champion of before")
    publish(300, 62, tmp_path)
    caught_up(stream)
    rows = everything_once().sort_by([("kafka_timestamp", "ascending")])
    versions = rows.column("version").to_pylist()[before:]
    assert versions == [second] * 400 + [first] * (rows.num_rows - before - 400)


def test_two_readers_in_same_group_share_pages(stream, tmp_path):
    readers = []
    for number in range(2):
        with (tmp_path / f"{number}.out").open("wb") as out, (tmp_path / f"{number}.err").open("wb") as errors:
            command = [sys.executable, "-m", "millrace.cli", "consume", "urls", "--group", "shared", "--json"]
            readers.append(subprocess.Popen(command, stdout=out, stderr=errors))
    try:
        until(
            lambda: all("reads 20 partitions" in (tmp_path / f"{n}.err").read_text() for n in range(2)), "two readers"
        )
        publish(600, 63, tmp_path)
        caught_up(stream)
        printed, wanted = [tmp_path / f"{number}.out" for number in range(2)], published()
        until(lambda: sum(len(file.read_bytes().splitlines()) for file in printed) >= wanted, "the last page")
    finally:
        for reader in readers:
            reader.terminate()
        assert [reader.wait(30) for reader in readers] == [0, 0]
    pages = [orjson.loads(line) for file in printed for line in file.read_bytes().splitlines()]
    assert all(file.stat().st_size for file in printed)
    assert len({(page["partition"], page["offset"]) for page in pages}) == len(pages) == wanted


@pytest.mark.thorough
def test_broker_killed_mid_flight_loses_and_duplicates_nothing(stream, tmp_path):
    publish(2500, 64, tmp_path)
    after_a_commit()
    wait_running("kafka", kill("kafka"))
    publish(300, 65, tmp_path)
    caught_up(stream)
    everything_once()


@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_stream_killed_mid_batch_loses_and_duplicates_nothing(stream, tmp_path, kills):
    publish(2000, 67 + kills, tmp_path)
    for _ in range(kills):
        after_a_commit()
        stream.kill()
        stream.start()
    caught_up(stream)
    rows = everything_once()
    windows = [one for key, one in deltas().items() if key.startswith("window/")]
    assert sum(one["total"] for one in windows) == rows.num_rows
    assert sum(deltas()[f"cluster/{number}"]["size"] for number in range(6)) == rows.num_rows


def test_repeated_ingest_adds_no_page_message_or_count(stream, tmp_path):
    """Its pages were scored by an earlier process of the stream: this one knows them from the table."""
    result, _ = declared()
    before = stream.metrics().get("repeated_total", 0)
    counts = ingest_source(result, str(generated(result, 1500, 61, tmp_path)), again=True)
    until(lambda: stream.metrics().get("repeated_total", 0) - before >= counts["accepted"], "the repeated pages")
    caught_up(stream)
    rows = everything_once()
    windows = [item for key, item in deltas().items() if key.startswith("window/")]
    assert sum(item["total"] for item in windows) == rows.num_rows
    assert sum(deltas()[f"cluster/{number}"]["size"] for number in range(6)) == rows.num_rows


def test_sigterm_stops_after_batch_and_unsent_messages_are_sent_later(stream, spark, tmp_path):
    publish(2000, 66, tmp_path)
    after_a_commit()
    assert stream.stop() == 0
    assert "Traceback" not in stream.output()
    # As a stream that ended between the lake and Kafka: pages in the table, half of them in the topics.
    result, model = declared()
    missing = unscored()
    manifest, arrays = Registry().load("urls", "pages", Registry().champion("urls", "pages").version)
    scored = pa.Table.from_batches(score_pages([missing], Sent(arrays), manifest.version, model)).slice(
        0, missing.num_rows
    )
    pages = spark.createDataFrame(scored.select(list(PAGE)))
    ends = {part: (min(own), max(own)) for part, own in places(missing).items()}
    lake, other = PagesTable(spark, result), PagesTable(spark, result)
    lake.append(pages, ends)
    with pytest.raises(ConflictError, match="Another stream appends"):
        other.append(pages, ends)
    labels = {manifest.version: manifest.names["label"]}
    cluster_topics.send_pages(pages.where("kafka_offset % 2 = 0"), result, labels)
    odd = sum(offset % 2 for own in places(missing).values() for offset in own)
    assert cluster_topics.repair_last_batch(lake, result, labels.get) == odd > 0
    assert cluster_topics.repair_last_batch(lake, result, labels.get) == 0
    before = committed()
    lake.expire_snapshots(0)
    assert committed() == min(before, 20)
    assert lake.last_batch().ranges == ends
    everything_once()


def test_topic_that_ends_before_last_read_offset_is_not_resumed(stack, caplog):
    caplog.set_level(logging.INFO, "millrace")
    with pytest.raises(CorruptError, match="was recreated") as caught:
        source.starting_offsets("urls.records", {0: 10**9})
    assert caught.value.field == f"0/{10**9}"
    with pytest.raises(NotFoundError, match="millrace topics create"):
        source.starting_offsets("nobody.records", {})
    assert not [record for record in caplog.records if record.name == source.__name__]
