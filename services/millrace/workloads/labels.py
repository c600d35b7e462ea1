"""What items are called, cut to what a person reads: a record may hold a name of 65,536 characters."""

from collections.abc import Mapping, Sequence

from millrace.runtime.text_arrays import TextArray

MAX_LABEL_CHARACTERS = 200
CUT_MARK = "\u2026"
"""The last character of a label that was cut."""


def cut_label(text: str) -> str:
    """The text, or its beginning and CUT_MARK, at most MAX_LABEL_CHARACTERS together."""
    return text if len(text) <= MAX_LABEL_CHARACTERS else text[: MAX_LABEL_CHARACTERS - len(CUT_MARK)] + CUT_MARK


def make_labels(ids: Sequence[str], labels: Mapping[str, str | None]) -> TextArray:
    """(len(ids),) labels, cut; an item without one has its id for it."""
    return TextArray.from_texts(cut_label(labels.get(item) or item) for item in ids)
