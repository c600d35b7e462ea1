"""Pieces of Kubernetes objects that values hold as they are."""

from typing import Annotated, Any

from pydantic import Field

from chart_values.common import Area

Labels = dict[str, str]
Objects = list[dict[str, Any]]
Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
Cron = Annotated[str, Field(pattern=r"^(@(hourly|daily|weekly|monthly|yearly)|(\S+ +){4}\S+)?$")]
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]+$")]


class ServiceAccount(Area):
    """The service account."""

    annotations: Labels
    """Annotations by which a cloud recognises the pods, such as eks.amazonaws.com/role-arn; they win over the
    storage's."""
