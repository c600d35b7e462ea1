"""What Spark counts is what millrace.recommend computes in memory, on generated events of both workloads."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from millrace.evaluation.candidates import CANDIDATES
from millrace.evaluation.selection import try_candidates
from millrace.evaluation.sources import COUNT, TIME_WEIGHTED, SequenceSource
from millrace.recommend import knn, linear, markov, time_weighted
from millrace.recommend.links import Links
from millrace.recommend.popularity import count_items
from millrace.recommend.sequences import Sequences
from millrace.training import events
from millrace.training.recommender import counting, factors, sums
from millrace.training.recommender.counting import DAY_S, TimeDecay
from millrace.training.recommender.held_out import make_held_out_users
from millrace.training.recommender.source import SparkSource
from millrace.workloads import find_workload
from tests.training.landed import landed

HALF_LIFE = 60 * DAY_S


@pytest.fixture(scope="module", params=["shop", pytest.param("mooc", marks=pytest.mark.thorough)])
def counted(request, spark):
    """(events, sequences in Spark, the same in memory) of 600 generated rows, some of them twice."""
    workload = find_workload(request.param)
    frame, rows, accepted = landed(spark, workload, 600)
    report = events.prepare_events(spark, frame, workload, workload.models[0])
    assert report.kept == accepted
    assert report.repeated == len(rows) - report.kept
    sequences = events.group_by_user(report.rows).cache()
    return report, sequences, in_memory(sequences, len(report.item_ids))


def in_memory(sequences, items: int) -> Sequences:
    rows = sequences.select("items", "since").collect()
    starts = np.concatenate([[0], np.cumsum([len(row["items"]) for row in rows])]).astype(np.int64)
    flat = np.concatenate([row["items"] for row in rows]).astype(np.int32)
    times = np.concatenate([np.array(row["since"], dtype=np.float64) for row in rows])
    return Sequences(flat, starts, items, times)


def same(links: Links, expected: Links) -> bool:
    return np.allclose(links.matrix().toarray(), expected.matrix().toarray(), rtol=1e-4, atol=1e-7)


def decay(report) -> TimeDecay:
    return TimeDecay(report.newest, HALF_LIFE, report.oldest)


def sources(report, sequences, memory: Sequences) -> tuple[SparkSource, SequenceSource]:
    """The same events by Spark and in memory, with popularity of 30 days to fill up answers."""
    window = 30 * DAY_S
    by_spark = SparkSource(sequences, len(report.item_ids), report.newest, report.oldest, window, HALF_LIFE)
    return by_spark, SequenceSource(memory, HALF_LIFE, window)


def test_histories_are_in_time_order_and_include_every_accepted_event(counted):
    report, _, memory = counted
    assert len(memory.items) == report.kept
    times = np.where(np.isnan(memory.times), -np.inf, memory.times)
    spans = zip(memory.starts, memory.starts[1:], strict=False)
    assert all((np.diff(times[a:b][times[a:b] > -np.inf]) >= 0).all() for a, b in spans)


def test_neighbours_match_in_memory_result(counted):
    report, sequences, memory = counted
    size = len(report.item_ids)
    pairs = counting.count_pairs(sequences, size)
    assert same(counting.make_knn(pairs, size), knn.fit_knn(memory, alpha=1.0))
    assert same(counting.make_knn(pairs, size, 0.5), knn.fit_knn(memory, alpha=0.5))
    assert same(linear.fit_ease_from_gram(counting.make_gram(pairs, size)), linear.fit_ease(memory))
    weighted = counting.count_pairs(sequences, size, decay(report))
    assert same(counting.make_knn(weighted, size), time_weighted.fit_knn(memory, HALF_LIFE))


def test_transitions_match_in_memory_result(counted):
    report, sequences, memory = counted
    size = len(report.item_ids)
    assert same(counting.make_markov(counting.count_transitions(sequences, size), size), markov.fit_markov(memory))
    assert same(
        counting.make_markov(counting.count_transitions(sequences, size, decay(report)), size),
        time_weighted.fit_markov(memory, HALF_LIFE),
    )


@pytest.mark.parametrize("version", [COUNT, TIME_WEIGHTED])
def test_every_candidate_and_option_is_fitted_as_in_memory(counted, version):
    """But for als, whose two solvers are compared below."""
    report, sequences, memory = counted
    by_spark, in_process = sources(report, sequences, memory)
    options = {candidate.name: candidate.options for candidate in CANDIDATES}
    with by_spark.count(version, options) as counts, in_process.count(version, options) as expected:
        assert (counts.popular == expected.popular).all()
        for candidate in CANDIDATES:
            if candidate.name == "als":
                continue
            prepared, also = candidate.prepare(counts), candidate.prepare(expected)
            for option in candidate.options:
                fitted, peer = candidate.fit(prepared, **option), candidate.fit(also, **option)
                if candidate.linked:
                    assert same(fitted, peer), (candidate.name, option)
                else:
                    assert fitted.counts == pytest.approx(peer.counts, rel=1e-5), option
                    assert set(fitted.popular) == set(peer.popular)


def test_selection_by_spark_is_selection_in_memory(counted):
    """The same trials in the same order, the same recipes, and the same NDCG@10 on the same users."""
    report, sequences, memory = counted
    fold = make_held_out_users(sequences, len(report.item_ids)).validation
    candidates = [candidate for candidate in CANDIDATES if candidate.name != "als"]
    tried, expected = (try_candidates(source, fold, 1, candidates) for source in sources(report, sequences, memory))
    assert [(trial.recipe.model, trial.recipe.version) for trial in tried] == [
        (name, version)
        for version in (COUNT, TIME_WEIGHTED)
        for name in ("popularity", "knn", "markov", "ease", "ridge", "blend")
    ]
    assert [trial.recipe for trial in tried] == [trial.recipe for trial in expected]
    assert [trial.ndcg for trial in tried] == pytest.approx([trial.ndcg for trial in expected])


def test_ridge_products_of_time_weighted_events_are_those_in_memory(counted):
    report, sequences, memory = counted
    size = len(report.item_ids)
    for gains, how in ((None, None), (time_weighted.event_gains(memory, HALF_LIFE), decay(report))):
        products = counting.make_ridge_products(counting.count_ridge_products(sequences, size, how), size)
        for product, expected in zip(products, linear.count_ridge_products(memory, gains), strict=True):
            assert product == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_dense_matrix_is_collected_in_blocks_of_rows(counted, monkeypatch):
    report, sequences, _ = counted
    size = len(report.item_ids)
    pairs = counting.count_pairs(sequences, size)
    whole = counting.make_gram(pairs, size)
    monkeypatch.setattr(sums, "MAX_COLLECTED_BYTES", 12 * size * (size // 3))
    assert (counting.make_gram(pairs, size) == whole).all()


def test_only_strongest_links_of_each_item_leave_spark(counted):
    report, sequences, memory = counted
    size = len(report.item_ids)
    result = counting.make_knn(counting.count_pairs(sequences, size, plain=False), size, keep=3)
    assert np.diff(result.starts).max() <= 3
    expected = knn.fit_knn(memory, keep=3)
    assert (result.starts == expected.starts).all()
    # Of links that are equal but for rounding another one may stay, so the weights of a row are compared.
    for start, end in zip(result.starts, result.starts[1:], strict=False):
        assert np.allclose(np.sort(result.weights[start:end]), np.sort(expected.weights[start:end]), rtol=1e-4)


def test_popularity_matches_in_memory_result(counted):
    report, sequences, memory = counted
    since = report.newest - 30 * DAY_S
    lately, whole = counting.count_popularity(sequences, len(report.item_ids), [since])
    assert (whole == count_items(memory)).all()
    assert (lately == count_items(memory, 30 * DAY_S, report.newest)).all()


def test_split_parts_are_consecutive_in_time(counted):
    report, _, _ = counted
    first, second = report.points
    assert first < second
    bounds = report.rows.groupBy("part").agg(F.min("since").alias("low"), F.max("since").alias("high")).collect()
    by_part = {row["part"]: row for row in bounds}
    assert by_part[events.EARLY]["high"] < first <= by_part[events.NEXT]["low"]
    assert by_part[events.NEXT]["high"] < second <= by_part[events.LAST]["low"]


def test_spark_factors_recommend_same_items_as_library_factors(counted):
    """Two solvers of one problem: not the same numbers, but the same items are near each other."""
    report, sequences, memory = counted
    size = len(report.item_ids)
    popular = np.argsort(-count_items(memory), kind="stable").astype(np.int32)
    model = factors.fit_als(sequences, size, popular, seed=3)
    assert model.factors.shape == (size, factors.FACTORS)
    again = factors.fit_als(sequences, size, popular, seed=3)
    assert again.factors == pytest.approx(model.factors, rel=1e-2, abs=1e-4)
    asked = [one for one in range(len(memory)) if len(set(memory[one].tolist())) >= 4]
    hits = 0
    for user in asked:
        known = np.unique(memory[user])
        others = np.setdiff1d(np.arange(size), known)
        scores = model.scores(memory[user].astype(np.int64))
        hits += scores[known].mean() > np.quantile(scores[others], 0.9)
    # User history is scored above nine in ten of all else.
    assert len(asked) > 5
    assert hits / len(asked) > 0.9


def test_users_are_numbered_without_gaps(counted):
    _, sequences, memory = counted
    numbers = factors.number_users(sequences.repartition(5)).select("number").toArrow().column("number").to_pylist()
    assert sorted(numbers) == list(range(len(memory)))
