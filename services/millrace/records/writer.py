"""Writing raw rows as CSV: what generators make, in the form that readers read."""

import csv
import gzip
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from millrace.errors import BadInputError
from millrace.records.lines import escape


def write_csv(
    file: Path, fields: Iterable[str], rows: Iterable[dict[str, Any]], progress: Callable[[int], None] = lambda n: None
) -> None:
    """Write rows with a header; a name that ends in `.gz` is compressed. Raises BadInputError when that can't be done.

    A row whose last values are None is written with that many fields fewer.
    """
    names = list(fields)
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "wt", newline="", encoding="utf-8") as target:
            writer = csv.writer(target)
            writer.writerow(names)
            for number, row in enumerate(rows, 1):
                cells = [row[name] for name in names]
                while cells and cells[-1] is None:
                    cells.pop()
                writer.writerow(cells)
                if number % 1000 == 0:
                    progress(number)
    except OSError as error:
        raise BadInputError(
            f"{escape(str(file))} can't be written: {error.strerror}.", code="not_writable", field="out"
        ) from None
