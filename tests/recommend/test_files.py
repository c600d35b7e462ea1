"""Files of sequences: what they may look like, and which line is wrong where one is."""

import gzip

import pytest

from millrace.errors import BadInputError, NotFoundError
from millrace.recommend.files import read_sequences


def written(tmp_path, text: str) -> str:
    file = tmp_path / "sequences.txt"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(file)


def shown(result) -> list[list[str]]:
    return [result.item_ids[result[user]].tolist() for user in range(len(result))]


@pytest.mark.parametrize(
    "text",
    [
        "1 a b c\n\n2 c\ta\n",
        "\ufeff1 a b c\r\n2 c a",
        '{"user_id": 1, "items": ["a", "b", "c"]}\n{"user_id": "2", "items": ["c", "a"]}\n',
        '{"id": "1", "course_order": ["a", "b", "c"], "name": "x"}\n{"id": "2", "course_order": ["c", "a"]}\n',
        '{"user": "1", "sequence": ["b", "a", "c"], "times": [2, 1, 3]}\n'
        '{"user": "2", "sequence": ["a", "c"], "times": [1.5, -1]}\n',
        '{"id": 1, "items": ["b", "a", "c"], "enroll_time": ["2020-01-02", "2020-01-01T09:00+01:00", "2020-02-01"]}\n'
        '{"id": 2, "items": ["a", "c"], "enroll_time": ["2020-01-01 00:00:01", "2020-01-01T00:00:00Z"]}\n',
    ],
    ids=["plain", "bom and crlf", "json", "mooc", "seconds", "texts"],
)
def test_every_format_gives_same_sequences_in_time_order(tmp_path, text):
    assert shown(read_sequences(written(tmp_path, text))) == [["a", "b", "c"], ["c", "a"]]


def test_ids_stay_text_however_many_digits_they_have(tmp_path):
    interactions = read_sequences(written(tmp_path, '{"id": 1, "items": [1515966223509088567, "007", 7]}\n'))
    assert shown(interactions) == [["1515966223509088567", "007", "7"]]


def test_repeated_item_counts_at_its_first_position(tmp_path):
    interactions = read_sequences(
        written(tmp_path, '{"id": 1, "items": ["a", "b", "a", "c"], "times": [1, 2, 3, 4]}\n')
    )
    assert (shown(interactions), interactions.times.tolist()) == ([["a", "b", "c"]], [1, 2, 4])


def test_compressed_file_is_unpacked_and_progress_ends_at_its_size(tmp_path):
    file = tmp_path / "s.gz"
    file.write_bytes(gzip.compress(b"1 a b\n2 c\n"))
    seen = []
    assert shown(read_sequences(str(file), lambda done, total: seen.append((done, total)))) == [["a", "b"], ["c"]]
    assert seen[-1] == (file.stat().st_size,) * 2


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("", "holds no sequence"),
        ("1 a\n2 b\n1 c\n", "line 3: user '1' was there before"),
        ("1 a\n{nonsense\n", "line 2: not JSON"),
        ('1 a\n{"user_id": 2}\n', "line 2: allowed: one of user_id, user, id and a list in one of items"),
        ('{"id": true, "items": ["a"]}', "line 1: allowed: one of user_id"),
        ('{"id": 1, "items": "abc"}', "line 1: allowed: one of user_id"),
        ('{"id": 1, "items": ["a", 1.5]}', "line 1: an item is neither text nor a whole number"),
        ('{"id": 1, "items": ["a", true]}', "line 1: an item is neither text nor a whole number"),
        ('{"id": 1, "items": ["a", "b"], "times": [1]}', "line 1: there must be one time for each item"),
        ('{"id": 1, "items": ["a"], "times": 5}', "line 1: there must be one time for each item"),
        ('{"id": 1, "items": ["a"], "times": ["soon"]}', "line 1: 'soon' is not a time; allowed: seconds or ISO 8601"),
        (
            '{"id": 1, "items": ["a"], "times": ["2099-12-31"]}',
            "line 1: '2099-12-31' is in the future; allowed: seconds since 1970 or ISO 8601, at most 24 hours after",
        ),
        ('{"id": 1, "items": ["a"], "times": [1585000000000]}', "line 1: 1585000000000 is in the future"),
        ('{"id": 1, "items": ["a"], "times": [null]}', "line 1: None is not a time"),
        ('{"id": 1, "items": ["a"], "times": [true]}', "line 1: True is not a time"),
        ('{"id": 1, "items": ["a"], "times": [1]}\n2 b\n', "line 2: some lines have times and some have none"),
        ('1 a\n{"id": 2, "items": ["a"], "times": [1]}\n', "line 2: some lines have times and some have none"),
        ('1 a\n{"id": 2, "items": [], "times": []}\n', "line 2: some lines have times and some have none"),
        ("1 a\n2 b\udcff\n", "line 2: it is not UTF-8"),
        ('{"id": 1, "items": ["\udcff"]}\n', "line 1: not JSON"),
        ("1 " + "a " * 600_000, "line 1: the line is too long to be a sequence"),
    ],
)
def test_invalid_line_is_reported_by_number(tmp_path, text, output):
    with pytest.raises(BadInputError) as refused:
        read_sequences(written(tmp_path, text))
    assert output in refused.value.message
    assert refused.value.code == "bad_sequence"


def test_missing_and_damaged_files_are_reported_by_name(tmp_path):
    with pytest.raises(NotFoundError, match=r"none\.txt can't be read"):
        read_sequences(str(tmp_path / "none.txt"))
    file = tmp_path / "s.gz"
    file.write_bytes(gzip.compress(b"1 a b\n" * 50)[:-12])
    with pytest.raises(BadInputError, match="is a damaged gz file"):
        read_sequences(str(file))
