"""SASRec and BERT4Rec as arrays, without PyTorch: its answers, and arrays that do not fit."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import CorruptError
from millrace.recommend.attention import AttentionModel
from millrace.recommend.loading import load_model
from tests.recommend.made import sequences

ITEMS, WIDTH, LAYERS, DEPTH = 20, 8, 2, 5


def made(mask: bool = False) -> AttentionModel:
    random = np.random.default_rng(4)
    shapes = {"qkv": (3 * WIDTH, WIDTH), "out": (WIDTH, WIDTH), "up": (4 * WIDTH, WIDTH), "down": (WIDTH, 4 * WIDTH)}
    weights = {"factors": random.normal(size=(ITEMS, WIDTH)), "places": random.normal(size=(DEPTH, WIDTH))}
    weights |= {f"{name}_weight": random.normal(size=(LAYERS, *shape)) for name, shape in shapes.items()}
    weights |= {f"{name}_bias": random.normal(size=(LAYERS, shape[0])) for name, shape in shapes.items()}
    for name in ("norm1", "norm2"):
        weights |= {f"{name}_{part}": random.normal(size=(LAYERS, WIDTH)) for part in ("scale", "shift")}
    weights |= {f"norm_{part}": random.normal(size=WIDTH) for part in ("scale", "shift")}
    weights |= {"mask": random.normal(size=WIDTH), "places": random.normal(size=(DEPTH + 1, WIDTH))} if mask else {}
    arrays = {name: array.astype(np.float32) for name, array in weights.items()} | {"heads": np.array([2])}
    return AttentionModel(arrays, np.delete(random.permutation(ITEMS), 3).astype(np.int32))


MODEL, MASKED = made(), made(mask=True)
BOTH = pytest.mark.parametrize("model", [MODEL, MASKED], ids=["sasrec", "bert4rec"])
HISTORIES = st.lists(st.integers(-2, 25), max_size=12)


@given(HISTORIES, st.integers(0, 30), st.booleans())
def test_answer_contains_best_items_seen_in_fit_and_none_from_history(history, n, keep_known):
    answer = MODEL.top(np.array(history, dtype=np.int64), n, keep_known=keep_known)
    allowed = set(MODEL.popular.tolist()) - (set() if keep_known else set(history))
    scores = MODEL.scores(np.array(history, dtype=np.int64))
    assert answer.items.tolist() == sorted(allowed, key=lambda item: (-scores[item], item))[:n]
    assert answer.because == [[] for _ in answer.items]


@BOTH
def test_batch_scores_match_individual_scores(model):
    result = sequences(3, items=ITEMS).where(
        np.random.default_rng(1).random(len(sequences(3, items=ITEMS).items)) < 0.7
    )
    assert (result.lengths == 0).any()
    assert (result.lengths > DEPTH).any()
    scores = model.batch(result)
    for user in range(len(result)):
        assert scores[user] == pytest.approx(model.scores(result[user]), rel=1e-3, abs=1e-4)


@BOTH
def test_history_order_matters_but_items_beyond_depth_do_not(model):
    assert model.scores(np.array([1, 2])) != pytest.approx(model.scores(np.array([2, 1])))
    assert model.scores(np.array([9, 1, 2, 4, 5, 6])) == pytest.approx(model.scores(np.array([1, 2, 4, 5, 6])))


@BOTH
def test_stored_arrays_restore_same_model(model):
    again = load_model(model.algorithm, model.arrays())
    assert again.scores(np.array([1, 2])) == pytest.approx(model.scores(np.array([1, 2])))


def test_mask_of_wrong_size_is_rejected():
    with pytest.raises(CorruptError, match=r"mask.npy \[3\] does not fit the width 8"):
        load_model("masked_attention", MASKED.arrays() | {"mask": np.ones(3, dtype=np.float32)})


@pytest.mark.parametrize(
    ("change", "output"),
    [
        ({"heads": np.array([3])}, "heads.npy holds [3]; allowed: one divisor of the width 8"),
        ({"up_weight": np.ones((2, 8, 8), dtype=np.float32)}, "up_weight.npy [2, 8, 8] does not fit the width 8"),
        ({"places": np.full((5, 8), np.inf, dtype=np.float32)}, "places.npy holds a value that is not finite"),
    ],
)
def test_inconsistent_arrays_are_rejected(change, output):
    with pytest.raises(CorruptError) as refused:
        load_model("attention", MODEL.arrays() | change)
    assert output in refused.value.message


def test_serving_needs_neither_torch_nor_scipy():
    code = "import sys, millrace.recommend.loading; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "scipy", "implicit"}
