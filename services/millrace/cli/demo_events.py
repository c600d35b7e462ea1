"""The live part of the demo: pages clustered in a stream, and an event that changes recommendations."""

import time
from pathlib import Path
from typing import Any

from millrace.cli.demo_questions import api_url, find_first_row, get_json, key_header, wait_for_change
from millrace.cli.output import make_table, out, progress_bar
from millrace.errors import UnavailableError
from millrace.runtime import http
from millrace.workloads.base import Workload

PAGES_TIMEOUT_S = 240  # for the stream to reach the end of its topic


def wait_for_pages(workload: Workload, rows: int) -> dict[str, Any]:
    """Wait until the stream has scored so many pages; {"workload", "pages", "clusters", "live"}."""
    deadline = time.monotonic() + PAGES_TIMEOUT_S
    with progress_bar(f"scoring {workload.name}", "pages") as progress:
        while True:
            clusters = get_json(f"/v1/{workload.name}/clusters")["clusters"]
            pages = sum(one["size"] for one in clusters)
            progress(pages, rows)
            if pages >= rows:
                return {
                    "workload": workload.name,
                    "pages": pages,
                    "clusters": clusters,
                    "live": f"{api_url()}/v1/{workload.name}/live",
                }
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"The stream scored {pages} of {rows} pages of {workload.name} within {PAGES_TIMEOUT_S} s; "
                    "`millrace status` shows it, .millrace/logs/stream.log says why.",
                    code="stream_behind",
                )
            time.sleep(0.5)


def post_events(workload: Workload, file: Path) -> list[dict[str, Any]]:
    """Post, for the user of the first row, the item that is recommended first, and wait until the answer has changed.

    {"workload", "user", "item", "took", "position", "before", "after", "seconds"} for each recommender.
    """
    first, results = find_first_row(workload, file), []
    for model in workload.recommenders:
        user = first[model.user] if first else None
        if not first or not user:
            continue
        path = f"/v1/{workload.name}/recommendations/{user}?n=3"
        before = get_json(path)["items"]
        event = first | {model.user: user, model.item: before[0]["id"]}
        started = time.monotonic()
        answer = http.post(f"{api_url()}/v1/{workload.name}/events", json=event, headers=key_header(), timeout=30)
        position = answer.raise_for_status().json()["positions"][0]
        after = wait_for_change(path, before[0]["id"], workload)["items"]
        seconds = round(time.monotonic() - started, 2)
        took, names = before[0]["name"], [[item["name"] for item in items] for items in (before, after)]
        results.append(
            {
                "workload": workload.name,
                "user": user,
                "item": before[0]["id"],
                "took": took,
                "position": position,
                "before": names[0],
                "after": names[1],
                "seconds": seconds,
            }
        )
    return results


def print_live(pages: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """Print the clusters as pages came, and the recommendations before and after the events."""
    for state in pages:
        rows = [
            [cluster["cluster"], cluster["label"], cluster["size"], ", ".join(host for host, _ in cluster["hosts"][:3])]
            for cluster in state["clusters"]
        ]
        out.print(make_table(f"{state['workload']}, as they came", "cluster", "label", "pages", "hosts", rows=rows))
        out.print(f"live: {state['live']}\n")
    rows = [
        [state["workload"], state["user"], state["took"], ", ".join(state["after"]), state["seconds"]]
        for state in events
    ]
    if rows:
        title = "events, from the POST to the changed answer"
        out.print(make_table(title, "workload", "user", "took", "is recommended now", "seconds", rows=rows), "")
