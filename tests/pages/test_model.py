"""Features and assignments: alone as in bulk, from arrays as from a training, of any page there may be."""

import subprocess
import sys

import numpy as np
import pytest

from millrace.errors import CorruptError
from millrace.pages import lexical
from millrace.pages.hosts import split_url
from millrace.pages.learning import learn_space
from millrace.pages.model import PageClusters
from millrace.pages.space import BLOCK_PAGES, WIDTH
from tests.pages.made import by_theme, space, table

ODD = {
    "url": ["", None, "https://x.de/" + "a-b/" * 3000, "host:443", "http://ü\ud800.de/%zz%", "\0"],
    "title": [None, "", "の" * 70_000, "x" * 70_000, "\ud800", "1 2 3"],
    "keywords": [None, "a,b", None, "", "\n", "z"],
}


def test_page_has_same_features_alone_and_in_bulk():
    columns, _ = table(2500, 2)
    columns = {name: [*ODD[name], *values] for name, values in columns.items()}
    bulk = space().features(columns)
    assert len(bulk) > BLOCK_PAGES
    assert np.isfinite(bulk).all()
    for row in [*range(300), BLOCK_PAGES - 1, BLOCK_PAGES, len(bulk) - 1]:
        assert (
            space().features({name: values[row : row + 1] for name, values in columns.items()})[0] == bulk[row]
        ).all()


def test_tokens_do_not_depend_on_process_hash_seed():
    code = "from millrace.pages.tokens import *; from millrace.pages.hosts import split_url;"
    code += "print(hash_pages([split_url('https://a.example.com/b-c/d')], ['e f g h i'], ['jj, kk'])[0].tolist())"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_space_has_29_coordinates_and_words_outweigh_lexical_ones():
    features = space().features(table(1500)[0])
    assert features.shape[1] == WIDTH == 29
    assert features.dtype == np.float32
    assert np.abs(features.mean(axis=0)).max() < 1e-3
    spread = features.var(axis=0)
    assert spread[: -len(lexical.FEATURE_NAMES)].sum() == pytest.approx(0.85, abs=1e-3)
    assert spread.sum() == pytest.approx(1.0, abs=1e-3)


def test_lexical_features_match_url():
    url = "https://a.example.com/one/two-three/p.html?x=1&y=%C3"
    values = lexical.lexical_features([url], [split_url(url)], ["Title"])[0]
    counts = np.expm1(values[:10]).round().astype(int).tolist()
    #       depth url    host path query = labels - digits escapes
    assert counts == [3, len(url), 13, 21, 9, 2, 3, 1, 2, 1]
    assert values[10:].tolist() == [1, 1, pytest.approx(np.log1p(5))]


def test_model_is_restored_from_arrays_without_heavy_dependencies():
    columns, _ = table(1500)
    model = by_theme()
    again = PageClusters.load({name: np.asarray(array) for name, array in model.arrays().items()})
    clusters, distances = model.assign(columns)
    assert all((a == b).all() for a, b in zip(again.assign(columns), (clusters, distances), strict=True))
    assert (again.k, clusters.dtype, distances.dtype) == (10, np.int64, np.float64)
    code = "import sys, millrace.pages.model, millrace.pages.drift, millrace.pages.profile; "
    code += "import millrace.serving.kinds.page_clusters; "
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "pyspark", "pyarrow", "fastapi", "kafka"} & set(loaded)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("idf", None),
        ("projection", lambda array: array[:, :-1]),
        ("centres", lambda array: array[:, :-1]),
        ("centres", lambda array: np.full_like(array, np.nan)),
        ("weights", lambda array: array[:-1]),
        ("scale", lambda array: -array),
        ("mean", lambda array: array.astype(np.int64)),
    ],
)
def test_missing_or_malformed_arrays_are_rejected_by_name(name, broken):
    arrays = by_theme().arrays()
    changed = {**arrays, name: broken(arrays[name])} if broken else {k: v for k, v in arrays.items() if k != name}
    with pytest.raises(CorruptError, match=name):
        PageClusters.load(changed)


def test_unseen_pages_are_clustered_by_theme():
    columns, themes = table(2500, 2)
    clusters, _ = by_theme().assign(columns)
    assert (clusters == themes).mean() > 0.95


def test_same_pages_produce_same_space():
    columns, _ = table(300)
    first, other = learn_space(columns, 3), learn_space(columns, 3)
    assert (first.projection == other.projection).all()
    assert (first.features(columns) == other.features(columns)).all()
    assert np.isfinite(learn_space({name: values[:3] for name, values in columns.items()}, 1).features(ODD)).all()
