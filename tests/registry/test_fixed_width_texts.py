"""A champion of a release before 0.4 serves after an upgrade: its texts of fixed width are read as those of today."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import CorruptError
from millrace.online.version_base import NEEDED_ARRAYS, VersionBase
from millrace.recommend.live_arrays import SEEN_ARRAY
from millrace.registry import fixed_width_texts
from millrace.registry.fixed_width_texts import to_text_array
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.kinds.sales import LoadedSales
from millrace.serving.model_store import ModelStore
from millrace.workloads import find_workload
from tests.registry.made import made
from tests.registry.old_form import OLD_VERSION, publish_old, to_fixed_width

RECOMMENDER, SALES = ("shop", "recommendations"), ("shop", "sales")


@pytest.mark.parametrize("model", [RECOMMENDER, SALES], ids="/".join)
@pytest.mark.parametrize("is_mapped", [False, True], ids=["in memory", "mapped"])
def test_old_version_loads_as_one_of_today(registry, tmp_path, model, is_mapped):
    draft, arrays = made(*model)
    old = publish_old(registry, draft, arrays)
    assert any(spec.dtype.startswith("|S") for spec in old.arrays.values())
    for _ in range(2):  # the second time from the files of the first
        manifest, loaded = registry.load(*model, OLD_VERSION, mapped=tmp_path if is_mapped else None)
        assert manifest == old
        assert {name: array.tolist() for name, array in loaded.items()} == {n: a.tolist() for n, a in arrays.items()}
        assert {name: array.dtype for name, array in loaded.items()} == {n: a.dtype for n, a in arrays.items()}


def test_old_champions_answer_as_those_of_today(registry):
    for model in (RECOMMENDER, SALES):
        publish_old(registry, *made(*model))
        registry.promote(*model, OLD_VERSION)
    models = ModelStore(registry)
    models.poll()
    assert models.faults == {}
    served = models.get(*RECOMMENDER, LoadedRecommender)
    fresh = LoadedRecommender(served.manifest, made(*RECOMMENDER)[1])
    for user in ("U0", "U7", "nobody"):
        assert served.history(user) == fresh.history(user)
        assert served.recommend(served.user_items(user), 5, False) == fresh.recommend(fresh.user_items(user), 5, False)
    assert models.get(*SALES, LoadedSales).sales.texts["customer_ids"].to_list()[:2] == ["C0", "C1"]


def test_updater_reads_what_it_needs_of_an_old_version(registry):
    draft, arrays = made(*RECOMMENDER)
    arrays[SEEN_ARRAY] = np.array([3, 5], dtype=np.uint64)
    publish_old(registry, draft, arrays)
    manifest, loaded = registry.load_some(*RECOMMENDER, OLD_VERSION, NEEDED_ARRAYS)
    assert sorted(loaded) == sorted(NEEDED_ARRAYS)
    shop = find_workload("shop")
    base = VersionBase.from_version(shop, shop.recommenders[0], manifest, loaded)
    assert base.items["I003"] == 3
    start, end = arrays["history_starts"][:2]
    assert base.newest("U0") == arrays["history_items"][start:end].tolist()[-len(base.newest("U0")) :] != []


def test_arrays_of_fixed_width_are_not_published(registry):
    draft, arrays = made(*RECOMMENDER)
    with pytest.raises(CorruptError, match=r"lacks the arrays item_ids_bytes, .* users_offsets"):
        registry.publish(draft, to_fixed_width(arrays))
    assert registry.versions(*RECOMMENDER) == []


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=9).filter(lambda text: not text.endswith(b"\0")), max_size=20))
def test_every_text_of_fixed_width_keeps_its_bytes(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_width_texts, "BLOCK_BYTES", 16)
        result = to_text_array(np.array([*texts, b"x"])[: len(texts)])
    assert [bytes(result.content[begin:end]) for begin, end in pairwise(result.offsets)] == texts
