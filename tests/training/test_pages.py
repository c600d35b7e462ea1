"""Clusters of pages through the whole training: k and names at first, numbers that stay, the gate, and the way back."""

import numpy as np
import pytest

from millrace.api.routes.models import describe
from millrace.cli.training import make_results_table
from millrace.errors import CorruptError
from millrace.ingest.publish import ingest_source
from millrace.lake.progress import wait_until_landed
from millrace.pages import drift
from millrace.pages.matching import match_clusters
from millrace.pages.model import PageClusters
from millrace.registry.registry import Registry
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.settings import settings
from millrace.training import dataset, offsets, train
from millrace.training.options import TrainingOptions
from millrace.training.page_clusters import frames
from millrace.training.page_clusters import train as pages
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pages.made import table

URLS = find_workload("urls")
MODEL = URLS.model("pages")


@pytest.fixture(scope="module")
def registry(stack):
    """A registry of this module's own: what other tests of the run promote is not judged here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_MODELS_BUCKET", "millrace-test-pages")
        settings.cache_clear()
        result = Registry()
        result.store.ensure_bucket()
        yield result
    settings.cache_clear()


@pytest.fixture(scope="module")
def trained(registry, spark, tmp_path_factory):
    """The results of a first training on a third of what was ingested, and of one on all."""
    ingest_source(URLS, str(generated(URLS, 2000, 31, tmp_path_factory.mktemp("urls"))))
    wait_until_landed(URLS)
    return list(train.train_models(spark, URLS, TrainingOptions(windows=("1/3", "all"))))


def loaded(registry, result) -> LoadedPageClusters:
    return LoadedPageClusters(*registry.load("urls", "pages", result["version"]))


def test_first_version_tries_every_k_and_labels_clusters_by_their_words(registry, trained):
    first = loaded(registry, trained[0])
    parameters = first.manifest.parameters
    assert (trained[0]["how"], trained[0]["promoted"], parameters["drift"]) == ("first fit", True, None)
    tried = {int(k): value for k, value in parameters["silhouette_by_k"].items()}
    assert set(tried) <= set(MODEL.k)
    assert trained[0]["k"] == first.pages.k == max(tried, key=tried.get)
    assert len(set(first.labels)) == first.pages.k == len(parameters["profile"])
    for label, profile in zip(first.labels, first.profile, strict=True):
        assert label
        assert profile["words"]
        assert 1 <= len(profile["examples"]) <= 5
    assert sum(parameters["sizes"]) == trained[0]["rows"] == first.manifest.data.fitted + first.manifest.data.held_out


def test_later_version_keeps_space_k_numbers_and_labels_and_reports_drift(registry, trained):
    first, second = (loaded(registry, result) for result in trained)
    assert trained[1]["how"] in ("update", "refit")
    assert second.manifest.parameters["new_pages"] > 0
    assert (second.pages.space.projection == first.pages.space.projection).all()
    columns, _ = table(1500)
    before, after = first.pages.assign(columns)[0], second.pages.assign(columns)[0]
    continued = second.manifest.parameters["continued"]
    # Of pages that neither has seen; a cluster that has hardly any of them matches whatever is left.
    numbers, shares = match_clusters(before, after, first.pages.k, first.pages.k)
    judged = shares & continued
    assert judged.sum() > first.pages.k // 2
    assert (numbers[judged] == np.arange(first.pages.k)[judged]).all(), (numbers, shares, continued)
    assert any(continued)
    assert all(old == new for old, new, same in zip(first.labels, second.labels, continued, strict=True) if same)
    actual = second.manifest.parameters["drift"]
    assert actual["moved"] == pytest.approx(drift.centre_shift(first.pages.centres, second.pages.centres), abs=1e-6)
    assert actual.items() <= second.manifest.metrics.items()
    assert (
        f"against {first.manifest.metrics['held_out_silhouette']:.4f} of {trained[0]['version']}" in trained[1]["gate"]
    )


def test_published_model_assigns_every_record_same_cluster_as_spark(registry, trained, spark):
    rows = dataset.read_snapshot(spark, URLS, trained[1]["snapshot_id"])
    records = dataset.deduplicate(rows, URLS, offsets.audit_offsets(rows).ranges)
    parameters = spark.table("iceberg.millrace.urls_assignments").where(f"version = '{trained[1]['version']}'")
    model = loaded(registry, trained[1]).pages
    together = records.rows.join(parameters, "record_id").toArrow()
    assert together.num_rows == trained[1]["rows"]
    clusters, _ = model.assign({name: together.column(name).to_pylist() for name in frames.FIELD_NAMES})
    assert (clusters == together.column("cluster").to_numpy()).all()
    pages.check_page_export(model, parameters, records, MODEL)
    with pytest.raises(CorruptError, match="another cluster than Spark"):
        pages.check_page_export(
            PageClusters(model.space, model.centres[::-1].copy(), model.weights), parameters, records, MODEL
        )


def test_readable_output_shows_labels_quality_and_gate(registry, trained):
    champion = registry.champion("urls", "pages")
    shown = describe(loaded(registry, trained[1]), champion)
    assert [one["cluster"] for one in shown["clusters"]] == list(range(trained[1]["k"]))
    assert shown["metrics"].keys() >= {"silhouette", "psi", "inertia_ratio", "moved"}
    assert make_results_table(trained).row_count == 2


def test_garbage_is_rejected_with_both_scores_and_rollback_restores_previous(registry, trained, spark, monkeypatch):
    def garbage(centres, *_):
        return np.random.default_rng(1).normal(size=centres.shape) * 9, np.ones(len(centres))

    champion = registry.champion("urls", "pages")
    good = loaded(registry, {"version": champion.version}).pages
    monkeypatch.setattr(pages.update, "update_centres", garbage)
    monkeypatch.setattr(frames.PageFrame, "fit_kmeans", lambda *_: [garbage(good.centres)[0]])
    (result,) = train.train_models(spark, URLS, TrainingOptions())
    assert not result["promoted"]
    held_out = registry.manifest("urls", "pages", result["version"]).metrics["held_out_silhouette"]
    assert result["gate"].startswith(f"refused: silhouette {held_out:.4f} against ")
    assert registry.champion("urls", "pages").version == champion.version
    back = registry.rollback("urls", "pages")
    assert back.version == champion.previous == trained[0]["version"]


def test_relearned_clusters_match_champion_where_their_pages_overlap(registry, trained, spark):
    before = loaded(registry, {"version": registry.champion("urls", "pages").version})
    (result,) = train.train_models(spark, URLS, TrainingOptions(windows=("1/3",), fresh=True))
    after = loaded(registry, result)
    assert result["how"] == "relearned"
    assert set(after.manifest.parameters["drift"]) == {"psi", "inertia_ratio"}
    columns, _ = table(1500)
    clusters = before.pages.assign(columns)[0], after.pages.assign(columns)[0]
    for number, same in enumerate(after.manifest.parameters["continued"]):
        assert (after.labels[number] in before.labels) == same
        if same:
            shared = (clusters[0] == number) & (clusters[1] == number)
            assert shared.sum() >= 0.3 * (clusters[1] == number).sum()
