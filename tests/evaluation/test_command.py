"""`millrace evaluate --sequences`: the table, its JSON, and what is refused."""

import subprocess
import sys

import pytest

from tests.pipeline.command import millrace
from tests.recommend.made import histories

MODELS = ["popularity", "knn", "markov", "ease", "ridge", "als", "blend"]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    result = tmp_path_factory.mktemp("sequences") / "walks.txt"
    lines = (f"{user} {' '.join(walk)}" for user, walk in enumerate(histories(5, users=150, items=130, longest=8)))
    result.write_text("\n".join(lines))
    return str(result)


@pytest.mark.parametrize("protocol", ["full", "negatives"])
def test_json_lists_every_model_best_first(file, protocol):
    code, result, stderr = millrace("evaluate", "--sequences", file, "--protocol", protocol, "--seed", "3")
    assert code == 0, stderr
    assert (result["protocol"], result["seed"]) == (protocol, 3)
    assert {entry["model"] for entry in result["models"]} == set(MODELS)
    values = [entry["ndcg@10"] for entry in result["models"]]
    assert values == sorted(values, reverse=True)
    for entry in result["models"]:
        assert {"fit_seconds", "choose_seconds", "options", "bytes"} <= set(entry)
        assert 0 <= entry["coverage"] <= 1
        for metric in ("hr@10", "ndcg@10", "mrr"):
            low, high = entry["ci95"][metric]
            assert 0 <= low <= entry[metric] <= high <= 1
    by_name = {entry["model"]: entry["ndcg@10"] for entry in result["models"]}
    assert by_name["markov"] > 2 * by_name["popularity"]  # the walks go round a ring: transitions must win clearly
    assert "on the validation" in stderr


def test_same_seed_gives_same_table(file):
    first, other = (
        millrace("evaluate", "--sequences", file, "--protocol", "negatives", "--model", "knn", "--model", "als")[1]
        for _ in range(2)
    )
    timed = {"fit_seconds", "choose_seconds"}
    assert [{k: v for k, v in entry.items() if k not in timed} for entry in first["models"]] == [
        {k: v for k, v in entry.items() if k not in timed} for entry in other["models"]
    ]
    assert {entry["model"] for entry in first["models"]} == {"knn", "als"}


def test_default_output_is_table_with_intervals(file):
    words = ["evaluate", "--sequences", file, "--model", "markov", "--model", "popularity"]
    done = subprocess.run([sys.executable, "-m", "millrace.cli", *words], capture_output=True, text=True, check=True)
    title, heads, _, first, second = done.stdout.rstrip().splitlines()
    assert title.startswith("protocol full, ")
    assert heads.replace("┃", " ").split() == ["model", "HR@10", "NDCG@10", "MRR", "coverage", "fit", "CPU", "s"]
    assert [first.split()[0], second.split()[0]] == ["markov", "popularity"]
    assert first.count(" to ") == 3


def test_sequences_with_times_can_be_split_by_time(tmp_path):
    file = tmp_path / "timed.jsonl"
    lines = []
    for user, walk in enumerate(histories(6, users=120, items=20)):
        times = ", ".join(str(86_400 * (user % 7 + place)) for place in range(len(walk)))
        lines.append('{"id": %d, "items": ["%s"], "times": [%s]}' % (user, '", "'.join(walk), times))  # noqa: UP031
    file.write_text("\n".join(lines))
    code, result, stderr = millrace("evaluate", "--sequences", str(file), "--protocol", "time")
    assert code == 0, stderr
    assert {entry["model"] for entry in result["models"]} == set(MODELS)
    assert 0 < result["users"] < 120


@pytest.mark.parametrize(
    ("words", "output"),
    [
        ([], "--sequences FILE is needed"),
        (["--sequences", "/no/such/file"], "/no/such/file can't be read"),
        (["--sequences", "FILE", "--protocol", "random"], "'random' is unknown; allowed: full, negatives, time"),
        (["--sequences", "FILE", "--model", "svd"], "'svd' is unknown; allowed: popularity, knn, markov, ease"),
        (["--sequences", "FILE", "--protocol", "time"], "--protocol time needs times"),
    ],
)
def test_usage_error_prints_one_sentence_and_exits_with_code_2(file, words, output):
    code, body, _ = millrace("evaluate", *[file if word == "FILE" else word for word in words])
    assert code == 2
    assert output in body["error"]["message"]


def test_model_over_limit_is_skipped_by_default_and_rejected_on_request(tmp_path):
    file = tmp_path / "many.txt"
    file.write_text("\n".join(f"{user} " + " ".join(f"{user}-{item}" for item in range(4)) for user in range(2600)))
    code, body, _ = millrace("evaluate", "--sequences", str(file), "--model", "ease")
    assert (code, body["error"]["field"]) == (2, "model")
    assert "--model ease with 10400 items is not usable; allowed: at most 10000" in body["error"]["message"]
