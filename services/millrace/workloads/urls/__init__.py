"""`urls`: visited pages, clustered as they arrive."""

import re
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from millrace.pages.hosts import split_url
from millrace.records.contract import Record
from millrace.records.credentials import remove_password
from millrace.records.numbers import reject
from millrace.records.types import Id, Text, Timestamp, blank_to_none, parse_text
from millrace.workloads.base import PageModel, Workload
from millrace.workloads.urls.generator import generate

SCHEMES = ("http", "https", "")
BARE = re.compile(r"(\[[^]]*\]|[^\s:/?#@\\]+\.[^\s:/?#@\\]+|[^\s:/?#@\\]+(?=:[0-9]))(:[0-9]{1,5})?(?=[/?#]|$)")
URL_LIMIT = 8000
"""Characters of a URL; what servers should at least accept (RFC 9110, section 4.1)."""


def parse_page_url(value: object) -> str:
    """A URL that names a host, as it was: `https://...`, `//host/...`, or `host:443` without a scheme.

    One with a password is refused: it would be read by everybody who sees the page.
    """
    allowed = f"a web address of up to {URL_LIMIT} characters such as https://example.com/news or example.com:443"
    if blank_to_none(value) is None:
        raise reject("no_url", value, allowed)
    url = parse_text(value)
    if len(url) > URL_LIMIT:  # before anything that costs more than to count
        raise reject("url_too_long", f"a URL of {len(url)} characters", allowed)
    if remove_password(url) != url:  # rows of a file come without; who posts is told, not repaired
        raise reject("has_password", "a URL with a password", "a web address without user and password")
    scheme, host, _, _ = split_url(url)
    if scheme not in SCHEMES:
        raise reject("bad_scheme", value, allowed)
    # Without a scheme any word or mail address would be one: there it needs a dot or a port, and nothing before it.
    if not host or not (scheme or url.startswith("//") or BARE.match(url)):
        raise reject("no_host", value, allowed)
    return url


def require_value(value: object) -> object:
    """The value, where there is one. Raises PydanticCustomError."""
    if value is None:
        raise reject("missing", value, "a creation_time, or a column created_at")
    return value


class Page(Record):
    """A page that was visited. Of exports without keywords and description, these are empty."""

    # Not required of a file's header, where exports call it created_at, but of every row.
    creation_time: Annotated[Timestamp, BeforeValidator(require_value)] = Field(
        default=None, validate_default=True, validation_alias=AliasChoices("creation_time", "created_at")
    )
    id: Id
    url: Annotated[str, BeforeValidator(parse_page_url)]
    title: Text = ""
    keywords: Text = ""
    description: Text = ""


WORKLOAD = Workload(
    name="urls",
    description="visited pages, clustered as they arrive",
    record=Page,
    identity=("id",),
    generate=generate,
    files=("hacker_news.csv", "sample_campaign_data_2023.csv"),
    models=(PageModel("pages", url="url", title="title", keywords="keywords", time="creation_time"),),
)
