"""Arrays of the registry become the same model again, and arrays that are wrong are refused with a sentence."""

import numpy as np
import pytest

from millrace.errors import CorruptError
from millrace.recommend.loading import load_model
from tests.recommend.made import MODELS, fitted, sequences

FOUND = sequences(31)


@pytest.mark.parametrize("name", MODELS)
def test_stored_model_gives_same_answers_after_loading(name, tmp_path):
    model = fitted(name, FOUND)
    for key, array in model.arrays().items():
        np.save(tmp_path / f"{key}.npy", array, allow_pickle=False)
    again = load_model(model.algorithm, {file.stem: np.load(file, mmap_mode="r") for file in tmp_path.glob("*.npy")})
    for user in range(len(FOUND)):
        first, other = model.top(FOUND[user], 5), again.top(FOUND[user], 5)
        assert first.items.tolist() == other.items.tolist()
        assert first.scores == pytest.approx(other.scores)
        assert first.because == other.because


@pytest.mark.parametrize(
    ("name", "change", "output"),
    [
        ("knn", {"starts": np.arange(26)}, "starts.npy must rise from 0 to the number of links"),
        ("knn", {"starts": np.array([], dtype=np.int64)}, "starts.npy is empty"),
        ("knn", {"weights": np.ones(3, dtype=np.float32)}, "neighbours, but 3 weights"),
        ("knn", {"by_age": np.array([np.nan], dtype=np.float32)}, "by_age.npy holds a value that is not finite"),
        ("knn", {"popular": np.array([25], dtype=np.int32)}, "popular.npy names an item outside 0 ... 24"),
        ("knn", {"popular": np.array([-1], dtype=np.int32)}, "popular.npy names an item outside 0 ... 24"),
        ("als", {"gram": np.eye(3)}, r"factors [25, 8] and gram [3, 3] do not fit"),
        ("popularity", {"counts": None}, "popularity lacks the arrays counts"),
    ],
)
def test_inconsistent_arrays_are_rejected(name, change, output):
    model = fitted(name, FOUND)
    arrays = {key: value for key, value in (model.arrays() | change).items() if value is not None}
    with pytest.raises(CorruptError) as refused:
        load_model(model.algorithm, arrays)
    assert output in refused.value.message


def test_unknown_algorithm_is_rejected_with_allowed_ones():
    with pytest.raises(CorruptError, match="algorithm 'svd' is not known; allowed: linked, als, popularity"):
        load_model("svd", {})
