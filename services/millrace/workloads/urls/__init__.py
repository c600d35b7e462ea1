"""`urls`: visited pages, clustered as they arrive."""

from typing import Annotated

from millrace.records.contract import Record
from millrace.records.types import Blank, Id, RequiredText, Text, Timestamp
from millrace.workloads.base import PageModel, Workload
from millrace.workloads.urls.generator import generate


class Page(Record):
    """A page that was visited."""

    creation_time: Timestamp
    id: Id
    url: RequiredText
    title: Annotated[Text, Blank] = ""
    keywords: Text = ""
    description: Text = ""


WORKLOAD = Workload(
    name="urls",
    description="visited pages, clustered as they arrive",
    record=Page,
    identity=("id",),
    generate=generate,
    files=("sample_campaign_data_2023.csv", "hacker_news.csv"),
    models=(PageModel("pages", url="url", title="title", keywords="keywords", time="creation_time"),),
)
