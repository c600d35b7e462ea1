"""`/v1/<workload>/recommendations` and related paths, for every recommender that a workload declares."""

from functools import partial

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from millrace.api.id_route import IdRoute
from millrace.api.parameters import (
    HistoryCount,
    IdInPath,
    IdInQuery,
    ItemCount,
    KeepKnown,
)
from millrace.api.recommendation_request import EITHER, QuestionBody, parse_question
from millrace.api.responses import POST_ERRORS, describe_body, error_responses, json_response
from millrace.api.work_queue import ANSWERS, OFF_LOOP_BYTES, run_by_size
from millrace.errors import NotFoundError
from millrace.records.numbers import show
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads.base import RecommenderModel, Workload

OFF_LOOP_USERS = 20  # users from which on a list is answered beside the event loop
ID_IN_QUERY = "the id in the query: for one with / or .., which a proxy might change in a path"


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


def make_router(store: ModelStore, workload: Workload, model: RecommenderModel) -> APIRouter:
    """The paths of a recommender: items for users, items similar to another, and the users' histories.

    Ids stand in the path, or in the query for those that a proxy or a client would change in a path.
    """
    router = APIRouter(
        prefix=f"/v1/{workload.name}", tags=[workload.name], responses=error_responses(401, 403), route_class=IdRoute
    )
    wrong, unknown = error_responses(422, 503), error_responses(404, 422, 503)
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def get_champion() -> LoadedRecommender:
        return store.get(workload.name, model.name, LoadedRecommender)

    def respond(content: dict[str, object]) -> Response:
        answered.inc()
        return json_response(content)

    @router.get(
        "/recommendations/{user_id:path}",
        summary="Next items for a user",
        response_model=Recommendations,
        responses=wrong,
    )
    async def recommend_to_user(user_id: IdInPath, n: ItemCount = model.n, keep_known: KeepKnown = False) -> Response:
        return respond(recommend(get_champion(), user_id, n, keep_known))

    @router.get(
        "/recommendations",
        summary=f"Next items for a user, {ID_IN_QUERY}",
        response_model=Recommendations,
        responses=wrong,
    )
    async def recommend_to_user_of_query(
        user_id: IdInQuery, n: ItemCount = model.n, keep_known: KeepKnown = False
    ) -> Response:
        return respond(recommend(get_champion(), user_id, n, keep_known))

    @router.post(
        "/recommendations",
        summary="Next items after a history, or for many users",
        response_model=Recommendations | list[UserRecommendations],
        responses=error_responses(*POST_ERRORS),
        openapi_extra=describe_body(QuestionBody.model_json_schema() | {"oneOf": EITHER}),
    )
    async def recommend_to_many(request: Request) -> Response:
        body = await request.body()
        question, served = await run_by_size(partial(parse_question, default=model.n), body), get_champion()
        history = question.history
        if history is not None:

            def follow(_: bytes) -> dict[str, object]:
                return served.recommend(served.item_numbers(history), question.n, question.keep_known)

            return respond(await run_by_size(follow, body))
        users = question.users or []

        def recommend_to_all() -> bytes:
            answers = [{"user_id": user, **recommend(served, user, question.n, question.keep_known)} for user in users]
            answered.inc(len(answers))
            return orjson.dumps(answers)

        off_loop = len(users) >= OFF_LOOP_USERS or len(body) > OFF_LOOP_BYTES
        content = await ANSWERS.run(recommend_to_all) if off_loop else recommend_to_all()
        return Response(content, media_type="application/json")

    @router.get("/similar/{item_id:path}", summary="Similar items", response_model=Recommendations, responses=unknown)
    async def find_similar(item_id: IdInPath, n: ItemCount = model.n) -> Response:
        return respond(recommend_similar(get_champion(), item_id, n))

    @router.get("/similar", summary=f"Similar items, {ID_IN_QUERY}", response_model=Recommendations, responses=unknown)
    async def find_similar_of_query(item_id: IdInQuery, n: ItemCount = model.n) -> Response:
        return respond(recommend_similar(get_champion(), item_id, n))

    @router.get("/popular", summary="Most popular items", response_model=Recommendations, responses=wrong)
    async def list_popular(n: ItemCount = model.n) -> Response:
        return respond(get_champion().popular(n))

    @router.get("/history/{user_id:path}", summary="User history", response_model=UserHistory, responses=unknown)
    async def show_history(user_id: IdInPath, n: HistoryCount = 100) -> Response:
        return respond(describe_history(get_champion(), user_id, n))

    @router.get("/history", summary=f"User history, {ID_IN_QUERY}", response_model=UserHistory, responses=unknown)
    async def show_history_of_query(user_id: IdInQuery, n: HistoryCount = 100) -> Response:
        return respond(describe_history(get_champion(), user_id, n))

    return router


def recommend(served: LoadedRecommender, user: str, n: int, keep_known: bool) -> dict[str, object]:
    """The next items for a user."""
    return served.recommend(served.user_items(user), n, keep_known)


def recommend_similar(served: LoadedRecommender, item: str, n: int) -> dict[str, object]:
    """The next items after one. Raises NotFoundError for one that the version does not know."""
    return served.recommend([served.item_number(item)], n, keep_known=False)


def describe_history(served: LoadedRecommender, user: str, n: int) -> dict[str, object]:
    """The newest items of a user. Raises NotFoundError for one without any."""
    items = served.history(user)
    if not items:
        allowed = f"a user in the data of {served.manifest.full_name} {served.manifest.version}"
        raise NotFoundError(
            f"user_id: {show(user)} has no history; allowed: {allowed}.", field="user_id", allowed=allowed
        )
    named = [served.render_item(item) for item in items[-n:]]
    return {"user_id": user, "items": named, "total": len(items), **served.manifest.version_fields}
