"""`/v1/<workload>/recommendations` and what goes with it, for every recommender that a workload declares."""

from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from millrace.api import asked
from millrace.api.champions import Champions
from millrace.api.documented import Declared, Endpoint, errors, json, query, request_body
from millrace.api.metrics import metrics
from millrace.api.recommended import Recommended
from millrace.errors import NotFound
from millrace.records.numbers import shown
from millrace.records.types import ID_LIMIT
from millrace.workloads import workloads
from millrace.workloads.base import RecommenderModel, Workload

MANY = 20  # users from which on a list is answered beside the event loop


class Item(BaseModel):
    id: str
    name: str


class ScoredItem(Item):
    score: float = Field(description="What the history says for the item; 0 where popularity filled the answer up.")
    because: list[Item] = Field(description="The items of the history that weighed most, the heaviest first.")


class Recommendations(BaseModel):
    items: list[ScoredItem]
    fallback: str | None = Field(description="`popularity` where nothing is known of whom it is for, else null.")
    model: str
    version: str


class UserRecommendations(Recommendations):
    user_id: str


class History(BaseModel):
    user_id: str
    items: list[Item] = Field(description="The newest ones, oldest first; an item as often as it was taken.")
    total: int
    model: str
    version: str


def declare(declared: Declared, champions: Champions) -> None:
    """Add the paths of every recommender."""
    for workload in workloads().values():
        for model in workload.recommenders:
            Family(champions, workload, model).declare(declared)


class Family:
    """The paths of one recommender."""

    def __init__(self, champions: Champions, workload: Workload, model: RecommenderModel):
        self.champions, self.workload, self.declared_model = champions, workload, model
        self.answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def served(self) -> Recommended:
        return self.champions.get(self.workload.name, self.declared_model.name)

    def n(self, request: Request) -> int:
        return asked.number(request, "n", self.declared_model.n, asked.MOST)

    def said(self, content: dict[str, Any]) -> Response:
        self.answered.inc()
        return json(content)

    async def for_user(self, request: Request) -> Response:
        user, n, keep = asked.identifier(request, "user_id"), self.n(request), asked.flag(request, "keep_known")
        return self.said(self._for(self.served(), user, n, keep))

    def _for(self, served: Recommended, user: str, n: int, keep: bool) -> dict[str, Any]:
        return served.recommend(served.user(user), n, keep)

    async def posted(self, request: Request) -> Response:
        wanted, served = asked.body(await request.body(), self.declared_model.n), self.served()
        if wanted.history is not None:
            return self.said(served.recommend(served.items(wanted.history), wanted.n, wanted.keep_known))

        def all_of_them() -> bytes:
            users = wanted.users or []
            answers = [{"user_id": user, **self._for(served, user, wanted.n, wanted.keep_known)} for user in users]
            self.answered.inc(len(answers))
            return orjson.dumps(answers)

        beside = len(wanted.users or ()) >= MANY
        content = await run_in_threadpool(all_of_them) if beside else all_of_them()
        return Response(content, media_type="application/json")

    async def similar(self, request: Request) -> Response:
        item, n, served = asked.identifier(request, "item_id"), self.n(request), self.served()
        return self.said(served.recommend([served.item(item)], n, keep_known=False))

    async def popular(self, request: Request) -> Response:
        return self.said(self.served().popular(self.n(request)))

    async def history(self, request: Request) -> Response:
        user, n = asked.identifier(request, "user_id"), asked.number(request, "n", 100, asked.HISTORY)
        served = self.served()
        items = served.history(user)
        if not items:
            allowed = f"a user in the data of {served.manifest.full_name} {served.manifest.version}"
            raise NotFound(
                f"user_id: {shown(user)} has no history; allowed: {allowed}.", field="user_id", allowed=allowed
            )
        named = [served.named(item) for item in items[-n:]]
        return self.said({"user_id": user, "items": named, "total": len(items), **served.manifest.said})

    def declare(self, declared: Declared) -> None:
        base, tag = f"/v1/{self.workload.name}", self.workload.name
        n = query("n", 1, asked.MOST, self.declared_model.n)
        keep = {"name": "keep_known", "in": "query", "required": False, "schema": {"type": "boolean", "default": False}}
        wrong, unknown = errors(401, 422, 503), errors(401, 404, 422, 503)
        path = f"{base}/recommendations"
        summary = "Next items for a user"
        self.by_id(declared, path, "user_id", self.for_user, summary, Recommendations, wrong, [n, keep])
        schema = request_body(asked.Wanted.model_json_schema() | {"oneOf": asked.EITHER})
        answer = Recommendations | list[UserRecommendations]
        summary = "Next items after a history, or for many users"
        declared.post_with(path, self.posted, summary, tag, answer, errors(401, 408, 413, 422, 503), schema)
        summary = "What goes with an item"
        self.by_id(declared, f"{base}/similar", "item_id", self.similar, summary, Recommendations, unknown, [n])
        declared.get(f"{base}/popular", self.popular, "What most took lately", tag, Recommendations, wrong, [n])
        long = query("n", 1, asked.HISTORY, 100)
        summary = "What a user took"
        self.by_id(declared, f"{base}/history", "user_id", self.history, summary, History, unknown, [long])

    def by_id(
        self,
        declared: Declared,
        path: str,
        name: str,
        endpoint: Endpoint,
        summary: str,
        answer: type[BaseModel],
        wrong: dict[int | str, dict[str, Any]],
        queries: list[dict[str, Any]],
    ) -> None:
        """Declare `<path>/<id>`, and `<path>?<name>=<id>` for ids that a proxy or a client would change in a path."""
        tag = self.workload.name
        declared.get(f"{path}/{{{name}:path}}", endpoint, summary, tag, answer, wrong, queries)
        schema = {"type": "string", "minLength": 1, "maxLength": ID_LIMIT}
        parameter = {"name": name, "in": "query", "required": True, "schema": schema}
        summary += ", the id in the query: for one with / or .., which a proxy might change in a path"
        declared.get(path, endpoint, summary, tag, answer, wrong, [parameter, *queries])
