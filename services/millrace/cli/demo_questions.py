"""The demo's API requests: one per path, built from the first accepted row of the source."""

import time
from pathlib import Path
from typing import Any

from millrace.errors import UnavailableError
from millrace.local.api import reachable_host
from millrace.runtime import http
from millrace.settings import settings
from millrace.workloads.base import ClusterModel, Row, Workload

EVENT_TIMEOUT_S = 30
Answer = dict[str, Any]
"""A JSON object, as the API answers every GET that the demo asks."""


def find_first_row(workload: Workload, file: Path) -> Row | None:
    """The fields of the first row that is accepted and whose user is known, as the source has them.

    The first accepted one where no user is known; None where none is accepted.
    """
    from millrace.ingest.check import RecordChecker
    from millrace.records.accepted_records import AcceptedRecord
    from millrace.records.readers import RawRow, open_source, read_rows

    users = [model.user for model in workload.recommenders]
    accepted: Row | None = None
    with open_source(str(file)) as source:
        checker = RecordChecker(workload)
        for row in read_rows(source, ()):
            inner = workload.expand(row.values) if row.values and not workload.fault(row.values) else None
            candidate = RawRow(row.number, row.raw, next(iter(inner))) if inner else row
            if candidate.values and isinstance(checker.check_row(candidate), AcceptedRecord):
                accepted = accepted or candidate.values
                if all(str(candidate.values.get(user) or "").strip() for user in users):
                    return candidate.values
    return accepted


def ask_questions(workload: Workload, file: Path, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One question for each kept path, recommender and sales, made of the first accepted row of the source.

    `events` were posted before: a recommendation for the user of one is from after it.
    """
    from millrace.api.rows import make_request_model

    first = find_first_row(workload, file)
    if first is None:
        return []
    answers = []
    taken = {event["user"]: event["item"] for event in events if event["workload"] == workload.name}
    for user in [first[model.user] or "nobody" for model in workload.recommenders]:
        path = f"/v1/{workload.name}/recommendations/{user}"
        answer = wait_for_change(path, taken[user], workload) if user in taken else get_json(path)
        answers.append({"path": path, "question": None, "answer": answer})
    for path in [f"/v1/{workload.name}/sales" for _ in workload.sales]:
        answers.append({"path": path, "question": None, "answer": get_json(path)})
    for endpoint in workload.endpoints:
        model = workload.model(endpoint.model)
        clusters = model if isinstance(model, ClusterModel) else None
        fields = make_request_model(workload, clusters, endpoint.optional).model_fields if clusters else {}
        question = {name: first[name] for name in fields if name in first}
        body: Any = [question] if endpoint.many else question
        response = http.post(f"{api_url()}{endpoint.path}", json=body, headers=key_header(), timeout=10)
        response.raise_for_status()
        answers.append({"path": endpoint.path, "question": body, "answer": response.json()})
    return answers


def get_json(path: str) -> Answer:
    """The API's answer to a GET. Raises httpx.HTTPStatusError."""
    return http.get(f"{api_url()}{path}", headers=key_header(), timeout=10).raise_for_status().json()


def wait_for_change(path: str, item: str, workload: Workload) -> Answer:
    """Recommendations, as soon as they hold no item that the user has taken. Raises UnavailableError after a while.

    The API has several workers, and each takes up an event in its own time.
    """
    deadline = time.monotonic() + EVENT_TIMEOUT_S
    while True:
        answer = get_json(path)
        if item not in [entry["id"] for entry in answer["items"]]:
            return answer
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"A posted event of {workload.name} changed no recommendation within {EVENT_TIMEOUT_S} s; "
                "`millrace status` shows the updater (online), .millrace/logs/online.log says why.",
                code="updater_behind",
            )
        time.sleep(0.02)


def api_url() -> str:
    """The API's address on this machine."""
    return f"http://{reachable_host(settings().api_host)}:{settings().api_port}"


def key_header() -> dict[str, str]:
    """The header that the API wants where keys are switched on."""
    keys = settings().api_keys
    return {"X-API-Key": keys.get_secret_value().split(",")[0].strip()} if keys else {}
