"""The manifest of a model version: everything that an answer can be traced back to."""

from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from millrace.errors import CorruptError

MANIFEST_FORMAT = "millrace.model/1"
Name = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")


class StrictModel(BaseModel):
    """A part of a manifest: frozen, and refused where it has an unknown field."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureSpec(StrictModel):
    """One input column in the model's order; `default` is what the API assumes when it is left out."""

    field: str
    transform: str
    default: Any = None


class ArraySpec(StrictModel):
    """One `.npy` file beside the manifest."""

    file: str = Field(pattern=r"^[a-z][a-z0-9_]*\.npy$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    dtype: str
    shape: tuple[int, ...]


class DataSpec(StrictModel):
    """What a training read: a snapshot of a table and, per Kafka partition, the first and last offset."""

    table: str
    snapshot_id: str
    window: str
    rows: int
    """Distinct records in the window, each once."""
    fitted: int
    held_out: int
    """Records kept apart for the gate; they are assigned a cluster, but did not move a centre."""
    without_features: int
    """Records in which a feature of the model is unknown."""
    repeated: int = 0
    """Rows left out because their record is there already (an ingest that ran twice)."""
    superseded: int = 0
    """Rows left out because a later record of the same identity replaced them."""
    offsets: dict[str, tuple[int, int]]


class ManifestDraft(StrictModel):
    """A manifest before the registry has given it a version and written its arrays."""

    workload: str = Name
    model: str = Name
    algorithm: str
    features: list[FeatureSpec]
    names: dict[str, list[str]]
    schema_hash: str
    parameters: dict[str, Any]
    metrics: dict[str, float]
    data: DataSpec
    code_version: str


class Manifest(ManifestDraft):
    """A published version; the file is never changed."""

    format: str = MANIFEST_FORMAT
    version: str
    created_at: datetime
    arrays: dict[str, ArraySpec]

    @property
    def full_name(self) -> str:
        return f"{self.workload}/{self.model}"

    @property
    def version_fields(self) -> dict[str, str]:
        """What every answer says of where it came from."""
        return {"model": self.full_name, "version": self.version}


def parse_manifest(content: bytes, where: str) -> Manifest:
    """The manifest in a file. Raises CorruptError that names the file and what is wrong with it."""
    # The format first: the fields of another format would only give a misleading sentence.
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise CorruptError(f"{where} is not JSON: {error}. The file was truncated or changed.", field="file") from None
    stated_format = document.get("format") if isinstance(document, dict) else None
    if stated_format != MANIFEST_FORMAT:
        raise CorruptError(
            f"{where} has the format {stated_format!r}; this version of Millrace reads {MANIFEST_FORMAT!r}.",
            field="format",
            allowed=MANIFEST_FORMAT,
        )
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise CorruptError(
            f"{where} is not a manifest of {MANIFEST_FORMAT}: {field}: {first['msg']}.", field=field
        ) from None
