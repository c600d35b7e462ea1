"""Assembles the application from its modules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from millrace import __version__
from millrace.api import errors, openapi
from millrace.api.fast_path import FastPaths, FastRoutes
from millrace.api.middleware.api_keys import AccessRules, ApiKeyMiddleware, list_paths
from millrace.api.middleware.body_limit import BodyLimitMiddleware
from millrace.api.middleware.head_requests import HeadRequests
from millrace.api.middleware.request_guard import RequestGuard
from millrace.api.middleware.request_metrics import MetricsMiddleware
from millrace.api.responses import make_operation_id
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
from millrace.workloads import load_workloads


def create_app(live: DeltaFollower | None = None) -> FastAPI:
    """The API over the registry that the settings name, and what it follows in Kafka."""
    current = settings()
    live, outbox = live or DeltaFollower(), Outbox()
    store, streams = ModelStore(live=live), EventStreams(current.api_streams, current.api_streams_per_client)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        live.start()
        store.start()
        with streams.end_on_signals():
            yield
        store.stop()
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
        openapi_url=None,  # the document has a route of our own
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics is ours
    )
    errors.install_handlers(app)
    fast = FastRoutes()
    routers = make_routers(store, streams, outbox, fast)
    access = AccessRules(
        bool(keys), list_paths(routers.open), list_paths(routers.posting), current.api_posting == "keys"
    )
    document = APIRouter(generate_unique_id_function=make_operation_id)
    for router in routers.all:
        # Only the document needs the key's dependency: the middleware has asked for the key by then.
        document.include_router(router, dependencies=access.dependencies(router))
    for router in routers.all:
        if router not in routers.hot:
            app.include_router(router)
    # FastAPI tries route after route, and those of an included router twice, which would be 30 of the 220 us that GET
    # recommendations takes. Those that are asked most come first and as they are; the first of each router before all.
    app.router.routes[:0] = chain.from_iterable(zip(*(router.routes for router in routers.hot), strict=True))
    openapi.install_document(app, access, document.routes)
    origins = list_parts(current.api_cors_origins)
    # The last one added is the first to see a request: what a browser may ask, counting, for whom and from where it is,
    # keys, size and coding, answers.
    app.add_middleware(FastPaths, routes=fast)
    app.add_middleware(BodyLimitMiddleware, limit=current.api_body_limit)
    if not access.is_open:
        app.add_middleware(ApiKeyMiddleware, keys=keys, access=access)
    accepts = make_host_check(current.api_host, list_parts(current.api_hosts))
    app.add_middleware(RequestGuard, accepts=accepts, origins=origins)
    app.add_middleware(MetricsMiddleware)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    app.add_middleware(HeadRequests)
    return app


@dataclass(frozen=True)
class Routers:
    """All routers in the order of the document, and what is said of some of them."""

    all: list[APIRouter]
    open: list[APIRouter]
    """Those that need no key."""
    posting: list[APIRouter]
    """Those that write records."""
    hot: list[APIRouter]
    """Those that are asked most."""


def make_routers(store: ModelStore, streams: EventStreams, outbox: Outbox, fast: FastRoutes) -> Routers:
    """The routers of all families, for every workload that declares what they answer from."""
    workloads = load_workloads().values()
    health_routers = [health.make_router(store), open_inference.make_health_router(store)]
    page_routers = [page_clusters.make_page_router(workload) for workload in workloads if workload.pages]
    recommenders = [
        recommendations.make_router(store, item, model) for item in workloads for model in item.recommenders
    ]
    posting = [events.make_router(workload, outbox, fast) for workload in workloads if workload.recommenders]
    documentation = docs.make_router()
    every = [
        *health_routers,
        health.make_metrics_router(),
        prototype.make_router(store, fast),
        models.make_router(store),
        *(models.make_predict_router(store, item, model, fast) for item in workloads for model in item.clusterings),
        open_inference.make_router(store, fast),
        *recommenders,
        *(sales.make_router(store, item, model) for item in workloads for model in item.sales),
        *posting,
        *(page_clusters.make_router(store, item, model, fast) for item in workloads for model in item.pages),
        *(page_clusters.make_stream_router(store, streams, item, model) for item in workloads for model in item.pages),
        *page_routers,
        documentation,
    ]
    return Routers(every, [*health_routers, *page_routers, documentation], posting, recommenders)
