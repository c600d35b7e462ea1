"""The published numbers on the real files; options are fixed to what their validation chose, so that it takes less."""

from dataclasses import replace

import pytest

from millrace.evaluation.candidates import CANDIDATES
from millrace.evaluation.table import evaluate_all
from millrace.recommend.files import read_sequences
from tests.conftest import real_file

pytestmark = pytest.mark.real_data


def blend(file: str, protocol: str, **options: dict) -> dict:
    """The entry of the blend of the models that are named, each with one option beside the decay of the history."""
    chosen = [replace(one, options=(options[one.name],)) for one in CANDIDATES if one.name in options]
    (entry,) = evaluate_all(read_sequences(str(real_file(file))), protocol, candidates=chosen, models=["blend"])[
        "models"
    ]
    return entry


def test_full_ranking_on_beauty_beats_published_results():
    entry = blend("recsys/beauty.txt", "full", knn={"alpha": 0.5, "k1": 0.5}, markov={"norm": 0.5})
    assert entry["hr@10"] >= 0.0744
    assert entry["ndcg@10"] >= 0.0468
    assert entry["ci95"]["ndcg@10"][0] > 0.0468


@pytest.mark.thorough
def test_full_ranking_on_mooc_beats_published_results():
    first, second = {"alpha": 1.0, "k1": 0.5}, {"norm": 1.0}
    third, fourth = {"penalty": 100.0}, {"penalty": 60.0}
    entry = blend("mooc_users.jsonl.gz", "full", knn=first, markov=second, ease=third, ridge=fourth)
    assert entry["hr@10"] >= 0.319
    assert entry["ndcg@10"] >= 0.196


@pytest.mark.thorough
def test_ranking_100_negatives_on_mooc_beats_published_results():
    layers = {"knn": {"alpha": 1.0, "k1": 1.2}, "ease": {"penalty": 300.0}, "ridge": {"penalty": 60.0}}
    entry = blend("mooc_users.jsonl.gz", "negatives", **layers)
    assert entry["hr@10"] >= 0.813
    assert entry["ndcg@10"] >= 0.607
