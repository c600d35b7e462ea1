"""`/v1/<workload>/recommendations` and related paths, for every recommender that a workload declares."""

from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from millrace.api import query
from millrace.api.declarations import (
    Endpoint,
    RouteRegistry,
    describe_body,
    describe_query,
    error_responses,
    json_response,
)
from millrace.errors import NotFoundError
from millrace.records.numbers import show
from millrace.records.types import ID_LIMIT
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads import load_workloads
from millrace.workloads.base import RecommenderModel, Workload

OFF_LOOP_USERS = 20  # users from which on a list is answered beside the event loop


class Item(BaseModel):
    """An item and its name."""

    id: str
    name: str


class ScoredItem(Item):
    """A recommended item and why it is recommended."""

    score: float = Field(description="What the history says for the item; 0 where popularity filled the answer up.")
    because: list[Item] = Field(description="The items of the history that weighed most, the heaviest first.")


class Recommendations(BaseModel):
    """Recommended items, the best first."""

    items: list[ScoredItem]
    fallback: str | None = Field(description="`popularity` where nothing is known of whom it is for, else null.")
    model: str
    version: str


class UserRecommendations(Recommendations):
    """Recommendations for a user."""

    user_id: str


class UserHistory(BaseModel):
    """What a user took."""

    user_id: str
    items: list[Item] = Field(description="The newest ones, oldest first; an item as often as it was taken.")
    total: int
    model: str
    version: str


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the paths of every recommender."""
    for workload in load_workloads().values():
        for model in workload.recommenders:
            RecommenderRoutes(champions, workload, model).declare(declared)


class RecommenderRoutes:
    """The paths of one recommender."""

    def __init__(self, champions: ModelStore, workload: Workload, model: RecommenderModel):
        self.champions, self.workload, self.declared_model = champions, workload, model
        self.answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def champion(self) -> LoadedRecommender:
        return self.champions.get(self.workload.name, self.declared_model.name, LoadedRecommender)

    def read_n(self, request: Request) -> int:
        return query.read_number(request, "n", self.declared_model.n, query.MAX_N)

    def respond(self, content: dict[str, Any]) -> Response:
        self.answered.inc()
        return json_response(content)

    async def for_user(self, request: Request) -> Response:
        user, n, keep = query.read_id(request, "user_id"), self.read_n(request), query.read_flag(request, "keep_known")
        return self.respond(self._for(self.champion(), user, n, keep))

    def _for(self, served: LoadedRecommender, user: str, n: int, keep: bool) -> dict[str, Any]:
        return served.recommend(served.user_items(user), n, keep)

    async def for_question(self, request: Request) -> Response:
        wanted, served = query.parse_question(await request.body(), self.declared_model.n), self.champion()
        if wanted.history is not None:
            return self.respond(served.recommend(served.item_numbers(wanted.history), wanted.n, wanted.keep_known))

        def all_of_them() -> bytes:
            users = wanted.users or []
            answers = [{"user_id": user, **self._for(served, user, wanted.n, wanted.keep_known)} for user in users]
            self.answered.inc(len(answers))
            return orjson.dumps(answers)

        beside = len(wanted.users or ()) >= OFF_LOOP_USERS
        content = await run_in_threadpool(all_of_them) if beside else all_of_them()
        return Response(content, media_type="application/json")

    async def similar(self, request: Request) -> Response:
        item, n, served = query.read_id(request, "item_id"), self.read_n(request), self.champion()
        return self.respond(served.recommend([served.item_number(item)], n, keep_known=False))

    async def popular(self, request: Request) -> Response:
        return self.respond(self.champion().popular(self.read_n(request)))

    async def history(self, request: Request) -> Response:
        user, n = query.read_id(request, "user_id"), query.read_number(request, "n", 100, query.MAX_HISTORY_IDS)
        served = self.champion()
        items = served.history(user)
        if not items:
            allowed = f"a user in the data of {served.manifest.full_name} {served.manifest.version}"
            raise NotFoundError(
                f"user_id: {show(user)} has no history; allowed: {allowed}.", field="user_id", allowed=allowed
            )
        named = [served.render_item(item) for item in items[-n:]]
        return self.respond({"user_id": user, "items": named, "total": len(items), **served.manifest.version_fields})

    def declare(self, declared: RouteRegistry) -> None:
        base, tag = f"/v1/{self.workload.name}", self.workload.name
        n = describe_query("n", 1, query.MAX_N, self.declared_model.n)
        keep = {"name": "keep_known", "in": "query", "required": False, "schema": {"type": "boolean", "default": False}}
        wrong, unknown = error_responses(401, 422, 503), error_responses(401, 404, 422, 503)
        path = f"{base}/recommendations"
        summary = "Next items for a user"
        self.add_id_routes(declared, path, "user_id", self.for_user, summary, Recommendations, wrong, [n, keep])
        schema = describe_body(query.QuestionBody.model_json_schema() | {"oneOf": query.EITHER})
        answer = Recommendations | list[UserRecommendations]
        summary = "Next items after a history, or for many users"
        declared.add_request_post(
            path, self.for_question, summary, tag, answer, error_responses(401, 408, 413, 422, 503), schema
        )
        summary = "Similar items"
        self.add_id_routes(declared, f"{base}/similar", "item_id", self.similar, summary, Recommendations, unknown, [n])
        declared.add_get(f"{base}/popular", self.popular, "Most popular items", tag, Recommendations, wrong, [n])
        long = describe_query("n", 1, query.MAX_HISTORY_IDS, 100)
        summary = "User history"
        self.add_id_routes(declared, f"{base}/history", "user_id", self.history, summary, UserHistory, unknown, [long])

    def add_id_routes(
        self,
        declared: RouteRegistry,
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
        declared.add_get(f"{path}/{{{name}:path}}", endpoint, summary, tag, answer, wrong, queries)
        schema = {"type": "string", "minLength": 1, "maxLength": ID_LIMIT}
        parameter = {"name": name, "in": "query", "required": True, "schema": schema}
        summary += ", the id in the query: for one with / or .., which a proxy might change in a path"
        declared.add_get(path, endpoint, summary, tag, answer, wrong, [parameter, *queries])
