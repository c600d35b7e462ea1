"""What the demo asks the API: a question for each path, made of the first accepted row of the source."""

from pathlib import Path
from typing import Any

import httpx

from millrace.settings import settings
from millrace.workloads.base import Row, Workload


def first_row(workload: Workload, file: Path) -> Row | None:
    """The fields of the first row that is accepted and whose user is known, as the source has them.

    The first accepted one where no user is known; None where none is accepted.
    """
    from millrace.records.check import Accepted, Checker
    from millrace.records.readers import RawRow, opened, rows

    users = [model.user for model in workload.recommenders]
    accepted: Row | None = None
    with opened(str(file)) as source:
        checker = Checker(workload)
        for row in rows(source, ()):
            inner = workload.expand(row.values) if row.values and not workload.fault(row.values) else None
            found = RawRow(row.number, row.raw, next(iter(inner))) if inner else row
            if found.values and isinstance(checker.outcome(found), Accepted):
                accepted = accepted or found.values
                if all(str(found.values.get(user) or "").strip() for user in users):
                    return found.values
    return accepted


def ask(workload: Workload, file: Path) -> list[dict[str, Any]]:
    """One question for each kept path, recommender and sales, made of the first accepted row of the source."""
    from millrace.api.bodies import request_model

    first = first_row(workload, file)
    if first is None:
        return []
    answers = []
    paths = [f"recommendations/{first[one.user] or 'nobody'}" for one in workload.recommenders]
    for path in paths + ["sales" for _ in workload.sales]:
        path = f"/v1/{workload.name}/{path}"
        response = httpx.get(f"{api()}{path}", headers=key(), timeout=10)
        response.raise_for_status()
        answers.append({"path": path, "question": None, "answer": response.json()})
    for endpoint in workload.endpoints:
        model = workload.model(endpoint.model)
        fields = request_model(workload, model, endpoint.optional).model_fields if model else {}
        question = {name: first[name] for name in fields if name in first}
        body: Any = [question] if endpoint.many else question
        response = httpx.post(f"{api()}{endpoint.path}", json=body, headers=key(), timeout=10)
        response.raise_for_status()
        answers.append({"path": endpoint.path, "question": body, "answer": response.json()})
    return answers


def api() -> str:
    return f"http://{settings().api_host}:{settings().api_port}"


def key() -> dict[str, str]:
    """The header that the API wants where keys are switched on."""
    keys = settings().api_keys
    return {"X-API-Key": keys.get_secret_value().split(",")[0].strip()} if keys else {}
