"""Texts as offsets and bytes: whatever was put in comes out, and one long text costs no more than itself."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.errors import CorruptError
from millrace.runtime import text_arrays
from millrace.runtime.text_arrays import TextArray, read_text_arrays
from millrace.workloads.labels import CUT_MARK, MAX_LABEL_CHARACTERS, cut_label, make_labels

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=20)
CASES = settings(max_examples=50, derandomize=True, deadline=None)


@CASES
@given(TEXTS)
@example([])
@example([""])
@example(["", "\0", "a\0", "\0\0", ""])
@example(["Món 1", "😀" * 200, "é"])
def test_texts_are_read_back_unchanged(texts):
    arrays = TextArray.from_texts(texts).to_arrays("names")
    assert {name: (array.dtype, array.ndim) for name, array in arrays.items()} == {
        "names_offsets": (np.dtype(np.int64), 1),
        "names_bytes": (np.dtype(np.uint8), 1),
    }
    again = TextArray.from_arrays(arrays, "names")
    assert len(again) == len(texts)
    assert list(again) == again.to_list() == texts
    assert [again[index] for index in range(len(texts))] == texts
    assert [again[index - len(texts)] for index in range(len(texts))] == texts


@CASES
@given(TEXTS, st.text(max_size=12))
@example(["", "a", "a\0"], "a\0")
def test_text_is_found_exactly_where_it_stands(texts, other):
    known = sorted(set(texts), key=str.encode)
    stored = TextArray.from_texts(known)
    assert stored.is_strictly_sorted()
    assert [stored.find(text) for text in known] == list(range(len(known)))
    assert stored.find(other) == (known.index(other) if other in known else None)
    assert stored.find("\ud800") is None


def test_text_is_found_among_many():
    known = [f"U_{number:05}" for number in range(0, 1000, 2)]
    stored = TextArray.from_texts(known)
    assert [stored.find(text) for text in known] == list(range(500))
    assert {stored.find(f"U_{number:05}") for number in range(1, 1001, 2)} == {None}
    assert [stored.find(text) for text in ("", "A", "U", "V")] == [None] * 4


@CASES
@given(TEXTS)
def test_order_is_that_of_bytes_and_block_size_does_not_matter(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_arrays, "BLOCK_TEXTS", 3)
        stored = TextArray.from_texts(texts)
        assert stored.to_list() == texts
        encoded = [text.encode() for text in texts]
        assert stored.is_strictly_sorted() is (encoded == sorted(set(encoded)))


@pytest.mark.parametrize("index", [3, 100, -4, -100])
def test_index_beyond_the_texts_is_an_error(index):
    with pytest.raises(IndexError):
        TextArray.from_texts(["a", "b", "c"])[index]


def test_texts_of_mapped_files_are_not_copied(tmp_path):
    for name, array in TextArray.from_texts(["one", "two"]).to_arrays("names").items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {file.stem: np.load(file, mmap_mode="r") for file in tmp_path.iterdir()}
    texts = TextArray.from_arrays(mapped, "names")
    assert texts.to_list() == ["one", "two"]
    assert isinstance(texts.content, np.memmap)
    assert np.shares_memory(texts.content, mapped["names_bytes"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names_bytes": None}, "lacks the arrays names_bytes"),
        ({"names_offsets": None, "names_bytes": None}, "lacks the arrays names_offsets, names_bytes"),
        ({"names_offsets": np.array([], np.int64)}, r"names_offsets.npy is int64\[0\]; texts need int64\[n \+ 1\]"),
        ({"names_offsets": np.array([0, 1, 3], np.int32)}, r"names_offsets.npy is int32\[3\]"),
        ({"names_bytes": np.zeros(3, np.int8)}, r"names_bytes.npy is int8\[3\]; texts need uint8\[bytes\]"),
        (
            {"names_offsets": np.array([1, 2, 3])},
            "names_offsets.npy must rise from 0 to the 3 bytes of names_bytes.npy",
        ),
        ({"names_offsets": np.array([0, 2, 1, 3])}, "names_offsets.npy must rise from 0"),
        ({"names_offsets": np.array([0, 1, 4])}, "names_offsets.npy must rise from 0"),
    ],
)
def test_arrays_that_hold_no_texts_are_rejected(change, sentence):
    arrays = TextArray.from_texts(["a", "bc"]).to_arrays("names") | change
    with pytest.raises(CorruptError, match=sentence):
        TextArray.from_arrays({name: array for name, array in arrays.items() if array is not None}, "names")


def test_all_texts_are_read_by_name():
    arrays = TextArray.from_texts(["a"]).to_arrays("ids") | TextArray.from_texts(["b"]).to_arrays("names")
    texts = read_text_arrays(arrays | {"counts": np.zeros(3), "odd_offsets": np.zeros(3)})
    assert {name: values.to_list() for name, values in texts.items()} == {"ids": ["a"], "names": ["b"]}


def test_one_long_brand_among_3000_products_leaves_names_small():
    brands = [f"brand {number} category" for number in range(3000)]
    plain = sum(array.nbytes for array in TextArray.from_texts(brands).to_arrays("names").values())
    brands[7] = "x" * 65_536 + " " + "y" * 65_536
    uncut = sum(array.nbytes for array in TextArray.from_texts(brands).to_arrays("names").values())
    labels = make_labels(brands, {})
    cut = sum(array.nbytes for array in labels.to_arrays("names").values())
    assert plain < 100_000
    assert uncut < plain + 132_000
    assert cut < plain + 4 * MAX_LABEL_CHARACTERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("x" * MAX_LABEL_CHARACTERS, "x" * MAX_LABEL_CHARACTERS),
        ("x" * (MAX_LABEL_CHARACTERS + 1), "x" * (MAX_LABEL_CHARACTERS - 1) + CUT_MARK),
        ("😀" * 65_536, "😀" * (MAX_LABEL_CHARACTERS - 1) + CUT_MARK),
    ],
)
def test_label_is_cut_to_what_a_person_reads(text, expected):
    assert cut_label(text) == expected
    assert len(expected) <= MAX_LABEL_CHARACTERS


def test_item_without_label_is_called_by_its_id():
    assert make_labels(["a", "b", "c"], {"a": "A", "b": "", "d": "D"}).to_list() == ["A", "b", "c"]
    assert make_labels(["a"], {"a": None}).to_list() == ["a"]
