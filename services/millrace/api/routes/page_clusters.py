"""`/v1/<workload>/clusters`, `/timeline`, `/pages`, `/live` and its events, for every workload with pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from millrace.api import page_rows
from millrace.api.fast_path import FastRoutes
from millrace.api.parameters import Minutes
from millrace.api.responses import (
    add_file,
    error_responses,
    json_response,
    make_body_schema,
    stream_responses,
)
from millrace.api.schemas import ClusterAnswer
from millrace.api.sse import EventRoute, EventStreams, OpenStream
from millrace.pages.board import Board
from millrace.pages.messages import ClusterState, StreamState
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.model_store import ModelStore
from millrace.web import HEADERS, PAGE, load_files
from millrace.workloads.base import PageModel, Workload

POLL_INTERVAL_S = 0.5  # seconds between two looks at the board: two events a second at most
Revision = tuple[int, str | None]
"""What an event depends on: the board's number, and the champion's version."""


class ClustersAnswer(BaseModel):
    """The clusters of a page stream as they are now."""

    model: str
    version: str | None = Field(description="The version that scored the newest pages; null before the first.")
    live: bool = Field(description="Whether a stream publishes them; otherwise they are as the champion was trained.")
    clusters: list[ClusterState] = Field(description="By number. Size: pages in the table; share: of the last hour.")


class ClusterTimeline(BaseModel):
    """Pages of one cluster over time."""

    cluster: int
    label: str
    pages: list[int] = Field(description="Pages that arrived, by step.")


class Timeline(BaseModel):
    """Pages of all clusters over time, in steps of equal length."""

    model: str
    version: str | None
    first: str | None = Field(alias="from", description="Where the first step begins; null where nothing is known.")
    last: str | None = Field(alias="to")
    step: int | None = Field(description="Seconds of a step.")
    open: bool = Field(description="Whether the last step is still being filled.")
    messages: list[int] = Field(description="Pages of all clusters, by step.")
    clusters: list[ClusterTimeline]


class StreamStatus(StreamState):
    """The last micro-batch, the drift of the champion that scored it, and ages in seconds."""

    age: float | None
    watermark_age: float | None = Field(description="How long ago the newest page that is counted arrived.")
    pages: int


class BoardEvent(BaseModel):
    """The data of an event `board`: all that the live page shows."""

    status: StreamStatus
    clusters: ClustersAnswer
    timeline: Timeline


def trained_clusters(served: LoadedPageClusters) -> list[dict[str, object]]:
    """The clusters before any page of a stream: what the training said of them."""
    empty: dict[str, Any] = {"size": 0, "share": 0.0}
    return [
        ClusterState(cluster=number, label=label, **empty | profile).model_dump(mode="json")
        for number, (label, profile) in enumerate(zip(served.labels, served.profile, strict=True))
    ]


def make_router(store: ModelStore, workload: Workload, model: PageModel, fast: FastRoutes) -> APIRouter:
    """The clusters, their timeline, and the path that asks for the cluster of a page."""
    router = APIRouter(prefix=f"/v1/{workload.name}", tags=[workload.name], responses=error_responses(401, 403, 503))
    view = BoardView(store, workload, model)
    body = page_rows.make_row_reader(workload, model)

    @router.get("/clusters", summary="Page clusters", response_model=ClustersAnswer)
    async def show_clusters() -> Response:
        return json_response(view.clusters())

    @router.get("/timeline", summary="Cluster timeline", response_model=Timeline, responses=error_responses(422))
    async def show_timeline(minutes: Minutes = 60) -> Response:
        return json_response(view.timeline(minutes))

    fast.add_post(
        router,
        "/pages",
        page_rows.make_answer(store, workload, model, body),
        summary="The cluster of a page, or of each page of a list",
        response_model=ClusterAnswer | list[ClusterAnswer],
        body=make_body_schema(body.row, "object", "array"),
    )
    return router


def make_stream_router(store: ModelStore, streams: EventStreams, workload: Workload, model: PageModel) -> APIRouter:
    """The same as server-sent events."""
    router = APIRouter(prefix=f"/v1/{workload.name}", tags=[workload.name], route_class=EventRoute)
    view = BoardView(store, workload, model)

    # The board at once and after every change; after 15 s without one FastAPI sends a comment, so that no proxy takes
    # the stream for dead. Looking twice a second costs less than waking each stream from the follower's thread, and is
    # the limit on events at the same time.
    @router.get(
        "/live/events",
        summary="All of it as server-sent events, whenever it has changed",
        response_class=EventSourceResponse,
        responses=stream_responses(BoardEvent, 401, 403, 422, 503),
    )
    async def stream_board(
        stream: Annotated[OpenStream, Depends(streams.open_stream)], minutes: Minutes = 60
    ) -> AsyncIterator[ServerSentEvent]:
        seen = None
        while not stream.is_ending():
            if (revision := view.revision()) != seen:
                seen = revision
                yield ServerSentEvent(event="board", id=str(revision[0]), raw_data=view.render(minutes, revision))
            await asyncio.sleep(POLL_INTERVAL_S)

    return router


def make_page_router(workload: Workload) -> APIRouter:
    """The live page and what it loads: no data, so no key."""
    router = APIRouter(prefix=f"/v1/{workload.name}", tags=[workload.name], responses=error_responses(403))
    for name, (media_type, content) in load_files().items():
        path = "/live" if name == PAGE else f"/live/{name}"
        add_file(router, path, media_type, content, HEADERS, "Live page" if name == PAGE else None)
    return router


class BoardView:
    """What the paths show of one workload's pages."""

    def __init__(self, store: ModelStore, workload: Workload, model: PageModel):
        self.store, self.workload, self.model = store, workload, model
        self.full_name = f"{workload.name}/{model.name}"
        self._drawn: dict[int, bytes] = {}
        self._drawn_at: Revision | None = None

    @property
    def board(self) -> Board:
        return self.store.live.store(self.workload.name, Board)

    def champion(self) -> LoadedPageClusters | None:
        return self.store.find(self.workload.name, self.model.name, LoadedPageClusters)

    def version_fields(self) -> dict[str, object]:
        return {"model": self.full_name, "version": self.board.status()["version"]}

    def clusters(self) -> dict[str, object]:
        if live_clusters := self.board.clusters():
            return {**self.version_fields(), "live": True, "clusters": live_clusters}
        if (served := self.champion()) is None:
            return {**self.version_fields(), "live": False, "clusters": []}
        return {**served.manifest.version_fields, "live": False, "clusters": trained_clusters(served)}

    def timeline(self, minutes: int) -> dict[str, object]:
        return {**self.version_fields(), **self.board.timeline(minutes)}

    def revision(self) -> Revision:
        """What an event depends on: the board, and before any page of a stream the champion."""
        served = self.champion()
        return self.board.changed, served.manifest.version if served else None

    def render(self, minutes: int, revision: Revision) -> str:
        """The event's data; what all streams share is made once for each change, ages for each event."""
        if revision != self._drawn_at:
            self._drawn, self._drawn_at = {}, revision
        if minutes not in self._drawn:
            shared = {"clusters": self.clusters(), "timeline": self.timeline(minutes)}
            self._drawn[minutes] = orjson.dumps(shared)
        return (b'{"status":%b,%b' % (orjson.dumps(self.board.status()), self._drawn[minutes][1:])).decode()
