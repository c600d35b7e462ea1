"""One HTML file with the charts and the numbers: it loads nothing, so that it can be sent by mail."""

from base64 import b64encode
from collections.abc import Container
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import urlsplit

from millrace.runtime.text import make_printable

STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.5rem 0 1.5rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-top:1px solid #dfe3e8}
thead th{border:0;color:#5b6675;font-weight:500}.n{text-align:right;font-variant-numeric:tabular-nums}
.quiet{color:#5b6675}img{max-width:100%;height:auto}td{overflow-wrap:anywhere}"""
CONTENT_SECURITY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CLUSTER_COLUMNS = ["Cluster", "Pages", "Last hour", "Words", "Hosts", "Examples"]


def escape_html(text: str) -> str:
    """Text of anybody as HTML that shows it as it stands."""
    return escape(make_printable(text))


def render_document(
    workload: str,
    status: dict[str, Any],
    clusters: list[dict[str, Any]],
    timeline: dict[str, Any],
    shares: bytes,
    messages: bytes,
) -> str:
    """The report as text; `shares` and `messages` are PNG pictures."""
    title = escape_html(f"{workload}: clusters of pages")
    span = escape_html(f"{timeline['from']} to {timeline['to']}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">
<title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p class="quiet">{span}, in steps of {timeline["step"]} seconds; {sum(timeline["messages"]):,} pages.</p>
{render_facts(status)}
{render_picture(shares, "Clusters over time: the numbers are in the last table")}
{render_picture(messages, "Messages over time: the numbers are in the last table")}
<h2>Clusters</h2>
{render_table(CLUSTER_COLUMNS, [render_cluster(cluster) for cluster in clusters], (1, 2))}
<h2>Pages by step</h2>
{render_timeline(timeline)}
</body></html>
"""


def render_facts(status: dict[str, Any]) -> str:
    """The status as a table."""
    values = {
        "version": status["version"],
        "newest page": status["watermark"],
        "pages a second in the last batch": status["rows_per_second"],
        "population stability index": status["psi"],
        "inertia to that of the training": status["inertia_ratio"],
    }
    known = [f"{name} {escape_html(str(value))}" for name, value in values.items() if value is not None]
    return f"<p>Model {'; '.join(known)}.</p>" if known else ""


def render_picture(content: bytes, description: str) -> str:
    """An image inside the page; `description` is its text."""
    return f'<p><img alt="{escape_html(description)}" src="data:image/png;base64,{b64encode(content).decode()}"></p>'


def render_cluster(cluster: dict[str, Any]) -> list[str]:
    """The cells of a cluster."""
    examples = "<br>".join(render_link(page["url"], page["title"]) for page in cluster["examples"])
    name = f"{escape_html(cluster['label'])} <span class=quiet>#{cluster['cluster']}</span>"
    return [
        name,
        f"{cluster['size']:,}",
        f"{cluster['share']:.1%}",
        render_counts(cluster["words"]),
        render_counts(cluster["hosts"]),
        examples,
    ]


def render_counts(pairs: list[list[Any]]) -> str:
    """Words or hosts with their counts."""
    return ", ".join(f"{escape_html(text)} <span class=quiet>{count:,}</span>" for text, count in pairs)


def render_link(url: str, title: str | None) -> str:
    """A link where the URL is one of the web, else text: it was written by a stranger."""
    text = escape_html(title or url)
    try:
        known = urlsplit(url).scheme in ("http", "https") and make_printable(url) == url
    except ValueError:
        known = False
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow">{text}</a>' if known else text


def render_timeline(timeline: dict[str, Any]) -> str:
    """The numbers behind the charts, as a table."""
    first, step = datetime.fromisoformat(timeline["from"]), timedelta(seconds=timeline["step"])
    head = ["From (UTC)", "All", *(escape_html(cluster["label"]) for cluster in timeline["clusters"])]
    rows = [
        [
            f"{first + index * step:%Y-%m-%d %H:%M:%S}",
            f"{count:,}",
            *(f"{cluster['pages'][index]:,}" for cluster in timeline["clusters"]),
        ]
        for index, count in enumerate(timeline["messages"])
    ]
    return render_table(head, rows[::-1], range(1, len(head)))


def render_table(head: list[str], rows: list[list[str]], numeric: Container[int]) -> str:
    """Cells are HTML already; `numeric` are the places of columns of numbers. The first cell of a row names it."""

    def cell(kind: str, column: int, text: str) -> str:
        return f"<{kind}{' class=n' if column in numeric else ''}>{text}</{kind.split()[0]}>"

    columns = "".join(cell('th scope="col"', place, text) for place, text in enumerate(head))
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(cell("td", place, text) for place, text in enumerate(more, 1))}</tr>'
        for first, *more in rows
    )
    return f"<table><thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table>"
