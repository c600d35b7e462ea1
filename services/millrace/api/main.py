"""Assembles the application from its modules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from millrace import __version__
from millrace.api import errors, openapi
from millrace.api.declarations import RouteRegistry
from millrace.api.fast_path import FastPaths
from millrace.api.middleware.api_keys import AccessRules, ApiKeyMiddleware
from millrace.api.middleware.body_limit import BodyLimitMiddleware
from millrace.api.middleware.request_guard import RequestGuard
from millrace.api.middleware.request_metrics import MetricsMiddleware
from millrace.api.routes import (
    docs,
    events,
    health,
    models,
    open_inference,
    page_clusters,
    prototype,
    recommendations,
    sales,
)
from millrace.api.sse import EventStreams
from millrace.messaging.outbox import Outbox
from millrace.runtime.hosts import make_host_check
from millrace.runtime.setting_types import list_parts
from millrace.runtime.text import print_logs_safely
from millrace.serving.delta_follower import DeltaFollower
from millrace.serving.model_store import ModelStore
from millrace.settings import settings


def create_app(live: DeltaFollower | None = None) -> FastAPI:
    """The API over the registry that the settings name, and what it follows in Kafka."""
    current = settings()
    live, outbox = live or DeltaFollower(), Outbox()
    champions, streams = ModelStore(live=live), EventStreams(current.api_streams)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        live.start()
        champions.start()
        with streams.end_on_signals():
            yield
        champions.stop()
        live.stop()
        outbox.stop()

    print_logs_safely()
    keys = list_parts(current.api_keys.get_secret_value()) if current.api_keys else []
    app = FastAPI(
        title="Millrace",
        version=__version__,
        summary="Answers from the champions of all workloads",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics is ours
    )
    errors.install_handlers(app)
    declared = RouteRegistry(app)
    for family in (health, prototype, models, open_inference, recommendations, sales):
        family.declare(declared, champions)
    events.declare(declared, outbox)
    page_clusters.declare(declared, champions, streams)
    docs.declare(declared)
    access = AccessRules(bool(keys), declared.open_paths, declared.posting_paths, current.api_posting == "keys")
    openapi.install_document(app, access, declared.schemas)
    origins = list_parts(current.api_cors_origins)
    # The last one added is the first to see a request: what a browser may ask, counting, for whom and from where it is,
    # keys, size and coding, answers.
    app.add_middleware(FastPaths, routes=declared.fast)
    app.add_middleware(BodyLimitMiddleware, limit=current.api_body_limit)
    if not access.is_open:
        app.add_middleware(ApiKeyMiddleware, keys=keys, access=access)
    accepts = make_host_check(current.api_host, list_parts(current.api_hosts))
    app.add_middleware(RequestGuard, accepts=accepts, origins=origins)
    app.add_middleware(MetricsMiddleware)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    return app
