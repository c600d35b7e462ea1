"""`/v1/<workload>/clusters`, `/timeline`, `/pages`, `/live` and its events, for every workload with pages."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from millrace.api import page_rows, query
from millrace.api.declarations import RouteRegistry, describe_query, error_responses, json_response, make_body_schema
from millrace.api.schemas import ClusterAnswer
from millrace.api.sse import EVENT_STREAM, EventStreams, format_event
from millrace.pages.board import MAX_MINUTES, Board
from millrace.pages.messages import ClusterState, StreamState
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.model_store import ModelStore
from millrace.web import HEADERS, PAGE, load_files
from millrace.workloads import load_workloads
from millrace.workloads.base import PageModel, Workload

POLL_INTERVAL_S = 0.5  # seconds between two looks at the board: two events a second at most
HEARTBEAT_S = 15.0  # seconds of silence after which a comment is sent, so that no proxy takes the stream for dead


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


def trained_clusters(served: LoadedPageClusters) -> list[dict[str, Any]]:
    """The clusters before any page of a stream: what the training said of them."""
    empty: dict[str, Any] = {"size": 0, "share": 0.0}
    return [
        ClusterState(cluster=number, label=label, **empty | profile).model_dump(mode="json")
        for number, (label, profile) in enumerate(zip(served.labels, served.profile, strict=True))
    ]


def declare(declared: RouteRegistry, champions: ModelStore, streams: EventStreams) -> None:
    """Add the paths of every page model."""
    for workload in load_workloads().values():
        for model in workload.pages:
            PageRoutes(champions, streams, workload, model).declare(declared)


class PageRoutes:
    """The paths of one workload's pages."""

    def __init__(self, champions: ModelStore, streams: EventStreams, workload: Workload, model: PageModel):
        self.champions, self.streams, self.workload, self.model = champions, streams, workload, model
        self.full_name = f"{workload.name}/{model.name}"
        self._drawn: dict[int, bytes] = {}
        self._drawn_at: tuple[int, str | None] | None = None

    @property
    def board(self) -> Board:
        return self.champions.live.store(self.workload.name, Board)

    def champion(self) -> LoadedPageClusters | None:
        return self.champions.find(self.workload.name, self.model.name, LoadedPageClusters)

    def version_fields(self) -> dict[str, Any]:
        return {"model": self.full_name, "version": self.board.status()["version"]}

    def clusters(self) -> dict[str, Any]:
        if live_clusters := self.board.clusters():
            return {**self.version_fields(), "live": True, "clusters": live_clusters}
        if (served := self.champion()) is None:
            return {**self.version_fields(), "live": False, "clusters": []}
        return {**served.manifest.version_fields, "live": False, "clusters": trained_clusters(served)}

    def timeline(self, minutes: int) -> dict[str, Any]:
        return {**self.version_fields(), **self.board.timeline(minutes)}

    async def show_clusters(self, request: Request) -> Response:
        return json_response(self.clusters())

    async def show_timeline(self, request: Request) -> Response:
        return json_response(self.timeline(query.read_number(request, "minutes", 60, MAX_MINUTES)))

    async def events(self, request: Request) -> Response:
        minutes = query.read_number(request, "minutes", 60, MAX_MINUTES)
        if request.method == "HEAD":  # what has no end is not begun
            return Response(media_type=EVENT_STREAM)
        return self.streams.answer(lambda: self.stream_events(minutes))

    async def stream_events(self, minutes: int) -> AsyncIterator[bytes]:
        """The board at once and after every change.

        Looking twice a second costs less than waking each stream from the follower's thread, and is the limit on
        events at the same time.
        """
        seen, last = None, 0.0
        while not self.streams.ending:
            changed, now = self.board_revision(), time.monotonic()
            if changed != seen:
                seen, last = changed, now
                yield format_event("board", changed[0], self.render_event(minutes, changed))
            elif now - last >= HEARTBEAT_S:
                last = now
                yield b": still here\n\n"
            await asyncio.sleep(POLL_INTERVAL_S)

    def board_revision(self) -> tuple[int, str | None]:
        """What an event depends on: the board, and before any page of a stream the champion."""
        served = self.champion()
        return self.board.changed, served.manifest.version if served else None

    def render_event(self, minutes: int, changed: tuple[int, str | None]) -> bytes:
        """The event's data; what all streams share is made once for each change, ages for each event."""
        if changed != self._drawn_at:
            self._drawn, self._drawn_at = {}, changed
        if minutes not in self._drawn:
            shared = {"clusters": self.clusters(), "timeline": self.timeline(minutes)}
            self._drawn[minutes] = orjson.dumps(shared)
        return b'{"status":%b,%b' % (orjson.dumps(self.board.status()), self._drawn[minutes][1:])

    def declare(self, declared: RouteRegistry) -> None:
        base, tag, minutes = (
            f"/v1/{self.workload.name}",
            self.workload.name,
            describe_query("minutes", 1, MAX_MINUTES, 60),
        )
        declared.add_get(
            f"{base}/clusters",
            self.show_clusters,
            "Page clusters",
            tag,
            ClustersAnswer,
            error_responses(401, 503),
        )
        summary, wrong = "Cluster timeline", error_responses(401, 422, 503)
        declared.add_get(f"{base}/timeline", self.show_timeline, summary, tag, Timeline, wrong, [minutes])
        body = page_rows.make_row_reader(self.workload, self.model)
        declared.add_post(
            f"{base}/pages",
            page_rows.make_answer(self.champions, self.workload, self.model, body),
            "The cluster of a page, or of each page of a list",
            tag,
            ClusterAnswer | list[ClusterAnswer],
            error_responses(401, 408, 413, 422, 503),
            make_body_schema(body.row, "object", "array"),
        )
        summary = "All of it as server-sent events, whenever it has changed"
        declared.add_get(
            f"{base}/live/events", self.events, summary, tag, BoardEvent, wrong, [minutes], media_type=EVENT_STREAM
        )
        for name, (media_type, content) in load_files().items():
            path = f"{base}/live" if name == PAGE else f"{base}/live/{name}"
            declared.add_file(path, media_type, content, HEADERS, "Live page" if name == PAGE else None, tag)
