"""What the stream publishes to `<workload>.deltas`, as it is read.

Values are absolute, so that a repeated message changes nothing. Texts come from foreign pages: they are cut to what is
shown.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

MAX_TEXT = 300  # characters of a title, a word or a label
MAX_URL = 2000


def truncate(limit: int) -> BeforeValidator:
    """Cuts text and lists to a length before they are checked."""
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, str | list) else value)


Short = Annotated[str, truncate(MAX_TEXT)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
CountedNames = Annotated[list[tuple[Short, Count]], truncate(10)]


class StreamMessage(BaseModel):
    """A message; fields of a later format are passed over."""

    model_config = ConfigDict(extra="ignore")


class WindowMessage(StreamMessage):
    """`window/<start>`: pages by cluster that arrived in `seconds` from `start` on."""

    start: AwareDatetime
    seconds: int = Field(ge=1, le=86_400)
    counts: Annotated[dict[int, Count], Field(max_length=1000)]
    total: Count


class Example(StreamMessage):
    """A page of a cluster, shown as an example."""

    url: Annotated[str, truncate(MAX_URL)]
    title: Short | None = None
    at: datetime | None = None


class ClusterState(StreamMessage):
    """`cluster/<n>`: all pages of a cluster in the table, and its share of the last hour's."""

    cluster: int = Field(ge=0, le=1000)
    label: Short
    size: Count
    share: float = Field(ge=0, le=1)
    words: CountedNames = []
    hosts: CountedNames = []
    examples: Annotated[list[Example], truncate(5)] = []


class StreamState(StreamMessage):
    """`stream`: the last micro-batch, and the drift of the champion that scored it."""

    version: Short | None = None
    batch: Count | None = None
    rows: Count | None = None
    rows_per_second: Number | None = None
    watermark: AwareDatetime | None = None
    at: AwareDatetime | None = None
    psi: Number | None = None
    inertia_ratio: Number | None = None
    moved: Number | None = None
    offsets: Annotated[dict[str, Count], Field(max_length=10_000)] = {}
    """By partition of the records, the next one to read."""
