"""Parts of the stream that need no engine."""

import socket
import time
from collections import Counter

import numpy as np
import orjson
import pyarrow as pa
import pytest

from millrace.errors import BadInputError, UnavailableError
from millrace.local import ports
from millrace.runtime import http
from millrace.runtime.metrics import serve_metrics
from millrace.stream import consume
from millrace.stream.drift import StreamDrift, make_drift
from millrace.stream.metrics import StreamMetrics
from millrace.stream.score import make_message, make_messages, score_pages
from millrace.stream.summary import BatchSummary, parse_summary
from millrace.stream.tally import HALF_LIFE_S, KEPT_S, ClusterTally, DecayedCounts
from millrace.workloads import find_workload
from tests.stream.made import Sent, declared
from tests.stream.made import arrays as made_arrays

T0 = 1_779_000_000


def records(*values: bytes | None) -> pa.RecordBatch:
    count = len(values)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([number % 2 for number in range(count)], pa.int32()),
            pa.array([7 + number // 2 for number in range(count)], pa.int64()),
            pa.array([(T0 + number) * 1_000_000 for number in range(count)], pa.timestamp("us", "UTC")),
            pa.array(values, pa.binary()),
        ],
        ["partition", "offset", "timestamp", "value"],
    )


def page(number: int) -> bytes:
    return orjson.dumps({"url": f"https://www.bbc.co.uk/news/{number}", "title": "Storm warning", "record_id": "r"})


def test_unreadable_records_are_counted_and_valid_pages_scored():
    batch = records(page(0), b"{", None, b"[1]", b'{"url": 3}', page(5))
    result = pa.Table.from_batches(score_pages([batch], Sent(made_arrays(1)), "v1", declared()[1])).to_pylist()
    pages, summary = result[:-1], parse_summary(result[-1]["summary"])
    assert [(row["kafka_partition"], row["kafka_offset"], row["host"]) for row in pages] == [
        (0, 7, "bbc.co.uk"),
        (1, 9, "bbc.co.uk"),
    ]
    assert all(row["summary"] is None and row["version"] == "v1" for row in pages)
    assert (summary.rows, summary.unreadable) == (2, 4)
    # What can't be read is behind us too.
    assert summary.offsets == {0: (7, 9), 1: (7, 9)}
    assert summary.squared == pytest.approx(sum(row["distance"] ** 2 for row in pages), rel=1e-6)
    assert sum(counts.total() for counts in summary.windows.values()) == 2


def test_partial_summaries_merge_into_summary_of_whole():
    batches = [records(*(page(number) for number in range(start, start + 20))) for start in (0, 20, 40)]
    arrays, item = Sent(made_arrays(1)), declared()[1]

    def summed(*parts) -> BatchSummary:
        whole = BatchSummary(item.window)
        for part in parts:
            whole.merge(
                parse_summary(pa.Table.from_batches(score_pages(part, arrays, "v1", item)).to_pylist()[-1]["summary"])
            )
        return whole

    together, apart = summed(batches), summed(*([batch] for batch in batches))
    for name in ("rows", "offsets", "windows", "words", "hosts", "newest"):
        assert getattr(together, name) == getattr(apart, name), name
    np.testing.assert_allclose(together.features, apart.features, rtol=1e-5)
    np.testing.assert_array_equal(together.placed, apart.placed)
    assert together.squared == pytest.approx(apart.squared)


def test_messages_skip_keys_already_in_topic():
    scored = pa.Table.from_batches(score_pages([records(page(0), page(1))], Sent(made_arrays(1)), "v1", declared()[1]))
    rows = scored.slice(0, 2).to_batches()
    whole = [
        row for batch in make_messages(rows, "urls", {"v1": list("abcdef")}, frozenset()) for row in batch.to_pylist()
    ]
    assert [row["key"] for row in whole] == [b"0:7", b"1:7"]
    document = orjson.loads(whole[1]["value"])
    assert whole[1]["topic"] == f"urls.cluster.{document['cluster']}"
    assert document["label"] == "abcdef"[document["cluster"]]
    assert document["timestamp"] == "2026-05-17T06:40:01.000Z"
    left = [row for batch in make_messages(rows, "urls", {}, frozenset([b"0:7"])) for row in batch.to_pylist()]
    assert [row["key"] for row in left] == [b"1:7"]
    assert make_message(scored.to_pylist()[0], [])["label"] == str(document["cluster"])  # of a version that is gone


def test_word_weights_halve_per_half_life_and_old_words_are_dropped():
    counts = DecayedCounts()
    counts.add(Counter(storm=8, flood=1), T0)
    counts.add(Counter(goal=5), T0 + HALF_LIFE_S)
    assert counts.top(T0 + HALF_LIFE_S) == [("goal", 5), ("storm", 4), ("flood", 1)]
    # Far on, weights are written anew before they overflow.
    counts.add(Counter(goal=3), T0 + 4000 * HALF_LIFE_S)
    assert counts.top(T0 + 4000 * HALF_LIFE_S)[0] == ("goal", 3)
    counts.add(Counter({f"w{number}": 1 for number in range(5000)}), T0 + 4000 * HALF_LIFE_S)
    assert counts.top(T0 + 4000 * HALF_LIFE_S)[0] == ("goal", 3)
    assert len(counts._weights) <= 2000


def summary(start: int, counts: dict[int, int]) -> BatchSummary:
    result = BatchSummary(10, rows=sum(counts.values()), newest=start * 1000)
    result.windows[start // 10 * 10].update(counts)
    return result


def test_windows_are_kept_for_two_hours_and_shares_cover_last_hour():
    tally = ClusterTally(10)
    tally.add(summary(T0, {0: 30}))
    tally.add(summary(T0 + KEPT_S - 10, {0: 1, 1: 3}))
    assert len(tally.windows) == 2
    assert tally.shares(3) == [0.25, 0.75, 0.0]
    tally.add(summary(T0 + KEPT_S + 20, {2: 4}))
    messages = tally.messages(["a", "b", "c"])
    assert [value["total"] for key, value in messages.items() if key.startswith("window/")] == [4, 4]
    assert [messages[f"cluster/{number}"]["size"] for number in range(3)] == [31, 3, 4]


def test_page_with_future_timestamp_is_counted_and_evicts_nothing():
    tally, ahead = ClusterTally(10), 4_070_908_800  # 2099
    now = int(time.time()) // 10 * 10
    tally.add(summary(now, {0: 30}))
    page = summary(ahead, {0: 1})
    page.examples[0] = [(ahead * 1000, "https://later.example/", "")]
    tally.add(page)
    assert tally.sizes == {0: 31}
    assert list(tally.windows) == [now]
    assert tally.watermark < now + 600
    assert all("later" not in one["url"] for one in tally.messages(["a"])["cluster/0"]["examples"])
    again = ClusterTally(10)
    again.rebuild({0: 31}, {now: {0: 30}, ahead: {0: 1}}, ahead * 1000)
    assert list(again.windows) == [now]


def test_drift_is_zero_for_training_data_and_grows_with_new_data():
    centres = np.array([[0.0, 0.0], [4.0, 0.0]])
    drift = make_drift({"profile": [{"share": 0.5}, {"share": 0.5}]}, {"inertia_per_row": 1.0}, centres)
    assert drift.measure() == {"psi": None, "inertia_ratio": None, "moved": None}

    def pages(counts, shift: float, squared: float) -> BatchSummary:
        numbers = np.array(counts)
        rows = int(numbers.sum())
        return BatchSummary(
            10, rows, squared=squared * rows, features=(centres + shift) * numbers[:, None], placed=numbers
        )

    drift.add(pages([50, 50], 0.0, 1.0))
    assert drift.measure()["psi"] is None, "so few differ by chance"
    drift.add(pages([60, 60], 0.0, 1.0))
    assert drift.measure() == {"psi": 0.0, "inertia_ratio": 1.0, "moved": 0.0}
    drift.add(pages([300, 0], 1.0, 3.0))
    measured = drift.measure()
    assert measured["psi"] > 0.25
    assert measured["inertia_ratio"] == pytest.approx(1 + 2 * 300 / 520, rel=0.01)
    assert measured["moved"] > 0
    # What a manifest does not tell is not measured.
    assert make_drift({}, {}, centres).shares is None


def test_metrics_are_served_in_prometheus_format():
    port, metrics = ports.find_free_port(), StreamMetrics("urls")
    metrics.add("rows_total", 3)
    metrics.add("rows_total", 4)
    metrics.set("psi", None)
    metrics.replace("version", {"v1": 1})
    metrics.add("batch_seconds_total", 0.5)
    metrics.set("batch_seconds", 0.25)
    server = serve_metrics(metrics.registry, port, "127.0.0.1")
    answer = http.get(f"http://127.0.0.1:{port}/metrics")
    server.shutdown()
    server.server_close()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'millrace_stream_rows_total{workload="urls"} 7.0' in lines
    assert 'millrace_stream_version{version="v1",workload="urls"} 1.0' in lines
    assert 'millrace_stream_batch_seconds_total{workload="urls"} 0.5' in lines
    assert 'millrace_stream_batch_seconds{workload="urls"} 0.25' in lines
    assert "psi" not in answer.text


def test_metrics_port_already_in_use_is_rejected():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"MILLRACE_METRICS_PORT={port} can't be listened on"):
            serve_metrics(StreamMetrics("urls").registry, port, "127.0.0.1")


@pytest.mark.parametrize("decay", [0, 40_000])
def test_drift_forgets_old_pages(decay):
    drift = StreamDrift(np.zeros((1, 1)), np.ones(1), 1.0)
    drift.add(BatchSummary(10, 10_000, squared=90_000.0, features=np.zeros((1, 1)), placed=np.array([10_000])))
    drift.add(BatchSummary(10, decay, squared=float(decay), features=np.zeros((1, 1)), placed=np.array([decay])))
    assert drift.measure()["inertia_ratio"] == pytest.approx(9.0 if decay == 0 else 1.5, rel=0.1)


def test_reader_accepts_only_existing_clusters():
    result, _ = declared()
    assert consume.select_topics(result, [3, 1, 3]) == ["urls.cluster.1", "urls.cluster.3"]
    assert consume.select_topics(result, []) == list(result.cluster_topics)
    with pytest.raises(BadInputError, match="--cluster 10 does not exist; allowed: 0 to 9"):
        consume.select_topics(result, [10])
    with pytest.raises(BadInputError, match="courses has no clusters in a stream"):
        consume.select_topics(find_workload("courses"), [])


def test_repeated_key_is_detected_only_among_recent_keys():
    seen = consume.RecentKeys()
    assert [seen.repeats(key) for key in (b"0:1", b"0:2", b"0:1", None, None)] == [False, False, True, False, False]
    for number in range(consume.REMEMBERED_KEYS):
        seen.repeats(b"1:%d" % number)
    assert not seen.repeats(b"0:1")
