"""Assembles the application; every part lives in a module of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from millrace import __version__
from millrace.api import errors, openapi
from millrace.api.champions import Champions
from millrace.api.documented import Declared
from millrace.api.fast import FastPaths
from millrace.api.follow import Live
from millrace.api.keys import Access, KeyMiddleware
from millrace.api.limits import BodyLimitMiddleware
from millrace.api.metrics import MetricsMiddleware
from millrace.api.routes import events, health, kept, models, open_inference, pages, recommendations, sales
from millrace.api.streams import Streams
from millrace.messaging.outbox import Outbox
from millrace.settings import settings


def create_app(live: Live | None = None) -> FastAPI:
    """The API over the registry that the settings name, and what it follows in Kafka."""
    current = settings()
    live, outbox = live or Live(), Outbox()
    champions, streams = Champions(live=live), Streams(current.api_streams)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        live.start()
        champions.start()
        with streams.ended_by_signals():
            yield
        champions.stop()
        live.stop()
        outbox.stop()

    keys = parts(current.api_keys.get_secret_value()) if current.api_keys else []
    app = FastAPI(
        title="Millrace",
        version=__version__,
        summary="Answers from the champions of all workloads",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics is ours
    )
    errors.install(app)
    declared = Declared(app)
    for family in (health, kept, models, open_inference, recommendations, sales):
        family.declare(declared, champions)
    events.declare(declared, outbox)
    pages.declare(declared, champions, streams)
    access = Access(bool(keys), declared.open_paths, declared.posting_paths, current.api_posting == "keys")
    openapi.install(app, access, declared.schemas)
    # The last one added is the first to see a request: what a browser may ask, counting, keys, size, answers.
    app.add_middleware(FastPaths, routes=declared.fast)
    app.add_middleware(BodyLimitMiddleware, limit=current.api_body_limit)
    if not access.everything_is_open:
        app.add_middleware(KeyMiddleware, keys=keys, access=access)
    app.add_middleware(MetricsMiddleware)
    if origins := parts(current.api_cors_origins):
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    return app


def parts(text: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]
