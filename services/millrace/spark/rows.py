"""Reading single rows of a frame."""

from pyspark.sql import DataFrame, Row


def only_row(frame: DataFrame) -> Row:
    """The one row of a frame that has one whatever its input, such as an aggregate over all rows."""
    row = frame.first()
    assert row is not None
    return row
