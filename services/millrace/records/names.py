"""Under which names a record's fields stand in a source, and which of a source's names no field is read from."""

from collections.abc import Iterable, Sequence

from pydantic import AliasChoices

from millrace.errors import BadInputError
from millrace.records.contract import Record
from millrace.records.lines import escape

MAX_SHAPES = 1000  # sets of keys that are remembered; what a source has beyond that is not reported
MAX_NAMES = 100  # ignored names that are reported
NAME_CHARACTERS = 80


class FieldNames:
    """What the names in a source mean for one contract; afterwards, what the source had of them.

    A name of a CSV header that differs from a field's in nothing but case, blanks and punctuation is that field's.
    """

    def __init__(self, groups: Iterable[Sequence[str]], needed: Iterable[str], others: Iterable[str] = ()) -> None:
        self._groups = [tuple(group) for group in groups]
        """For each field, the names that it is read from; of several in one row the first is."""
        self._needed, self._others = set(needed), tuple(others)
        self._by_fold = {fold_name(name): name for name in reversed([*self._known_names(), *self._others])}
        self._ignored: dict[str, None] = {}
        self._present: set[str] = set()
        self.shapes: set[tuple[str, ...]] = set()
        """Sets of keys that `note` has seen."""
        self.renamed: dict[str, str] = {}
        """Names of the header that were read as another."""

    @property
    def ignored(self) -> list[str]:
        """Names that stand in the source and that nothing is read from, as they can be printed."""
        names = list(self._ignored)
        return [_shorten(name) for name in names[:MAX_NAMES]] + ["..."] * (len(names) > MAX_NAMES)

    @property
    def lacking(self) -> list[str]:
        """Fields that a source may leave out and that it does leave out, in every row."""
        optional = [group for group in self._groups if not self._needed.intersection(group)]
        return [group[0] for group in optional if not self._present.intersection(group)] if self.shapes else []

    def match(self, source: str, header: list[str]) -> list[str]:
        """The header in the contract's spelling. Raises BadInputError where two columns would be one field."""
        known = {*self._known_names(), *self._others}
        matched: list[str] = []
        for column in header:
            name = column if column in known or column == "" else self._by_fold.get(fold_name(column), column)
            if name in known and name in matched:
                raise _repeated_error(source, name, header[matched.index(name)], column)
            if name != column:
                self.renamed[_shorten(column)] = name
            matched.append(name)
        self.note(tuple(matched))
        return matched

    def note(self, names: tuple[str, ...]) -> None:
        """Remember the names of a row: once for each set of them, which is what keeps it cheap."""
        if len(self.shapes) >= MAX_SHAPES:
            return
        self.shapes.add(names)
        read = {name for group in self._groups for name in [name for name in group if name in names][:1]}
        if self._others and not self._needed.issubset(names):  # a row that stands for several
            read.update(self._others)
            read.update(self._known_names())
        self._present.update(read)
        for name in names:
            if name not in read and len(self._ignored) <= MAX_NAMES:
                self._ignored[name] = None

    def _known_names(self) -> list[str]:
        return [name for group in self._groups for name in group]


def fold_name(name: str) -> str:
    """Letters and digits of a name, in lower case: `Course ID`, `courseId` and `COURSE_ID` are `course_id`.

    A name that can't be printed is not read as another: it is of a file that is no text.
    """
    if not name.isprintable():
        return name
    return "".join(letter for letter in name.lower() if letter.isalnum())


def make_field_names(record: type[Record], others: Iterable[str] = ()) -> FieldNames:
    """The names that a contract's fields are read from, aliases included; `others` are read before the fields are."""
    groups, needed = [], []
    for name, info in record.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [name if alias is None else alias]
        groups.append([choice for choice in choices if isinstance(choice, str)])
        needed += [name] if info.is_required() else []
    return FieldNames(groups, needed, others)


def _shorten(name: str) -> str:
    return escape(name[:NAME_CHARACTERS]) + "..." * (len(name) > NAME_CHARACTERS) if name else "(no name)"


def _repeated_error(source: str, name: str, first: str, second: str) -> BadInputError:
    columns = f"{_shorten(first)!r} and {_shorten(second)!r}, which are one field," if first != second else repr(name)
    return BadInputError(
        f"{source} has the column {columns} twice, and which is meant can't be known; allowed: once. "
        "Rename or drop one of them.",
        code="bad_header",
        field=name,
        allowed="every column once",
    )
