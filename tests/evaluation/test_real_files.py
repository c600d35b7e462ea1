"""The published numbers on the real files; options are fixed to what their validation chose, so that it takes less."""

from dataclasses import replace

import pytest

from millrace.evaluation.table import evaluate
from millrace.recommend.candidates import CANDIDATES
from millrace.recommend.files import read
from tests.conftest import real_file

pytestmark = pytest.mark.real_data


def found(file: str, protocol: str, **options: dict) -> dict[str, dict]:
    """The entries by model of those that are named, each with one option beside the decay of the history."""
    chosen = [replace(one, options=(options[one.name],)) for one in CANDIDATES if one.name in options]
    sequences = read(str(real_file(file)))
    return {one["model"]: one for one in evaluate(sequences, protocol, candidates=chosen)["models"]}


def test_full_ranking_on_beauty_is_above_the_published():
    entries = found("recsys/beauty.txt", "full", knn={"alpha": 0.5, "k1": 0.5}, markov={"norm": 0.5})
    assert entries["blend"]["hr@10"] >= 0.0744
    assert entries["blend"]["ndcg@10"] >= 0.0468
    assert entries["blend"]["ci95"]["ndcg@10"][0] > 0.0468


def test_full_ranking_on_mooc_is_above_the_published():
    entries = found("mooc_users.jsonl.gz", "full", markov={"norm": 1.0}, ease={"penalty": 100.0})
    assert entries["blend"]["hr@10"] >= 0.319
    assert entries["blend"]["ndcg@10"] >= 0.196


def test_a_hundred_negatives_on_mooc_are_above_the_published():
    entries = found("mooc_users.jsonl.gz", "negatives", knn={"alpha": 1.0, "k1": 1.2}, ease={"penalty": 100.0})
    assert entries["blend"]["hr@10"] >= 0.813
    assert entries["blend"]["ndcg@10"] >= 0.607
