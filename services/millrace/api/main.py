"""Assembles the application; every part lives in a module of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from millrace import __version__
from millrace.api import errors
from millrace.api.champions import Champions
from millrace.api.keys import check_key
from millrace.api.limits import BodyLimitMiddleware
from millrace.api.metrics import MetricsMiddleware
from millrace.api.routes import health, kept, models, open_inference
from millrace.settings import settings


def create_app() -> FastAPI:
    """The API over the registry that the settings name."""
    champions = Champions()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        champions.start()
        yield
        champions.stop()

    app = FastAPI(
        title="Millrace",
        version=__version__,
        summary="Answers from the champions of all workloads",
        lifespan=lifespan,
        dependencies=[Depends(check_key)],
    )
    errors.install(app)
    for family in (health, kept, models, open_inference):
        app.include_router(family.router(champions))
    current = settings()
    app.add_middleware(BodyLimitMiddleware, limit=current.api_body_limit)
    app.add_middleware(MetricsMiddleware)
    if origins := [origin.strip() for origin in current.api_cors_origins.split(",") if origin.strip()]:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    return app
