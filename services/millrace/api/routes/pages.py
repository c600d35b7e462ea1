"""`/v1/<workload>/clusters`, `/timeline`, `/pages`, `/live` and its events, for every workload with pages."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from millrace.api import asked, paging
from millrace.api.answers import ClusterAnswer
from millrace.api.champions import Champions
from millrace.api.documented import Declared, body_schema, errors, json, query
from millrace.api.paged import Paged
from millrace.api.streams import EVENTS, Streams, event
from millrace.pages.board import MOST_MINUTES, Board
from millrace.pages.messages import ClusterState, StreamState
from millrace.web import HEADERS, PAGE, files
from millrace.workloads import workloads
from millrace.workloads.base import PageModel, Workload

PAUSE = 0.5  # seconds between two looks at the board: two events a second at most
HEARTBEAT = 15.0  # seconds of silence after which a comment is sent, so that no proxy takes the stream for dead


class Clusters(BaseModel):
    model: str
    version: str | None = Field(description="The version that scored the newest pages; null before the first.")
    live: bool = Field(description="Whether a stream tells of them; else they are as the champion was trained.")
    clusters: list[ClusterState] = Field(description="By number. Size: pages in the table; share: of the last hour.")


class Line(BaseModel):
    cluster: int
    label: str
    pages: list[int] = Field(description="Pages that arrived, by step.")


class Timeline(BaseModel):
    model: str
    version: str | None
    first: str | None = Field(alias="from", description="Where the first step begins; null where nothing is known.")
    last: str | None = Field(alias="to")
    step: int | None = Field(description="Seconds of a step.")
    open: bool = Field(description="Whether the last step is still being filled.")
    messages: list[int] = Field(description="Pages of all clusters, by step.")
    clusters: list[Line]


class Status(StreamState):
    """The last micro-batch, the drift of the champion that scored it, and ages in seconds."""

    age: float | None
    watermark_age: float | None = Field(description="How long ago the newest page that is counted arrived.")
    pages: int


class Event(BaseModel):
    """The data of an event `board`: all that the live page shows."""

    status: Status
    clusters: Clusters
    timeline: Timeline


def as_trained(served: Paged) -> list[dict[str, Any]]:
    """The clusters before any page of a stream: what the training said of them."""
    empty: dict[str, Any] = {"size": 0, "share": 0.0}
    return [
        ClusterState(cluster=number, label=label, **empty | profile).model_dump(mode="json")
        for number, (label, profile) in enumerate(zip(served.labels, served.profile, strict=True))
    ]


def declare(declared: Declared, champions: Champions, streams: Streams) -> None:
    """Add the paths of every page model."""
    for workload in workloads().values():
        for model in workload.pages:
            Family(champions, streams, workload, model).declare(declared)


class Family:
    """The paths of one workload's pages."""

    def __init__(self, champions: Champions, streams: Streams, workload: Workload, model: PageModel):
        self.champions, self.streams, self.workload, self.model = champions, streams, workload, model
        self.full_name = f"{workload.name}/{model.name}"
        self._drawn: dict[int, bytes] = {}
        self._drawn_at: tuple[int, str | None] | None = None

    @property
    def board(self) -> Board:
        return self.champions.live.store(self.workload.name)

    def served(self) -> Paged | None:
        return self.champions.all().get((self.workload.name, self.model.name))

    def said(self) -> dict[str, Any]:
        return {"model": self.full_name, "version": self.board.status()["version"]}

    def clusters(self) -> dict[str, Any]:
        if live_clusters := self.board.clusters():
            return {**self.said(), "live": True, "clusters": live_clusters}
        if (served := self.served()) is None:
            return {**self.said(), "live": False, "clusters": []}
        return {**served.manifest.said, "live": False, "clusters": as_trained(served)}

    def timeline(self, minutes: int) -> dict[str, Any]:
        return {**self.said(), **self.board.timeline(minutes)}

    async def show_clusters(self, request: Request) -> Response:
        return json(self.clusters())

    async def show_timeline(self, request: Request) -> Response:
        return json(self.timeline(asked.number(request, "minutes", 60, MOST_MINUTES)))

    async def events(self, request: Request) -> Response:
        minutes = asked.number(request, "minutes", 60, MOST_MINUTES)
        if request.method == "HEAD":  # what has no end is not begun
            return Response(media_type=EVENTS)
        return self.streams.answer(lambda: self.told(minutes))

    async def told(self, minutes: int) -> AsyncIterator[bytes]:
        """The board at once and after every change.

        Looking twice a second costs less than waking each stream from the follower's thread, and is the limit on
        events at the same time.
        """
        seen, last = None, 0.0
        while not self.streams.ending:
            changed, now = self.changed(), time.monotonic()
            if changed != seen:
                seen, last = changed, now
                yield event("board", changed[0], self.drawn(minutes, changed))
            elif now - last >= HEARTBEAT:
                last = now
                yield b": still here\n\n"
            await asyncio.sleep(PAUSE)

    def changed(self) -> tuple[int, str | None]:
        """What an event depends on: the board, and before any page of a stream the champion."""
        served = self.served()
        return self.board.changed, served.manifest.version if served else None

    def drawn(self, minutes: int, changed: tuple[int, str | None]) -> bytes:
        """The event's data; what all streams share is made once for each change, ages for each event."""
        if changed != self._drawn_at:
            self._drawn, self._drawn_at = {}, changed
        if minutes not in self._drawn:
            shared = {"clusters": self.clusters(), "timeline": self.timeline(minutes)}
            self._drawn[minutes] = orjson.dumps(shared)
        return b'{"status":%b,%b' % (orjson.dumps(self.board.status()), self._drawn[minutes][1:])

    def declare(self, declared: Declared) -> None:
        base, tag, minutes = f"/v1/{self.workload.name}", self.workload.name, query("minutes", 1, MOST_MINUTES, 60)
        declared.get(
            f"{base}/clusters", self.show_clusters, "The clusters of all pages", tag, Clusters, errors(401, 503)
        )
        summary, wrong = "Clusters and messages over time", errors(401, 422, 503)
        declared.get(f"{base}/timeline", self.show_timeline, summary, tag, Timeline, wrong, [minutes])
        body = paging.body(self.workload, self.model)
        declared.post(
            f"{base}/pages",
            paging.answers(self.champions, self.workload, self.model, body),
            "The cluster of a page, or of each page of a list",
            tag,
            ClusterAnswer | list[ClusterAnswer],
            errors(401, 408, 413, 422, 503),
            body_schema(body.row, "object", "array"),
        )
        summary = "All of it as server-sent events, whenever it has changed"
        declared.get(f"{base}/live/events", self.events, summary, tag, Event, wrong, [minutes], media_type=EVENTS)
        for name, (media_type, content) in files().items():
            path = f"{base}/live" if name == PAGE else f"{base}/live/{name}"
            declared.file(path, media_type, content, HEADERS, "The page that shows it" if name == PAGE else None, tag)
