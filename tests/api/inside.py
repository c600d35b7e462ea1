"""An application served by a thread of this process, so that a test can hand it the objects it answers from."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from tests.registry.servers import free_port


@contextmanager
def inside(app: ASGIApp, http: str = "auto") -> Iterator[httpx.Client]:
    """A client of the application, whose champions and followers are not started; `http` is the server's protocol."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), http=http, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{server.config.port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
