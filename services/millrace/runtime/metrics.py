"""The port on which a process answers Prometheus."""

from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from millrace.errors import UnavailableError


def serve_metrics(registry: CollectorRegistry, port: int, host: str) -> WSGIServer:
    """Answer from a thread until the process ends. Raises UnavailableError when the port is taken."""
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        sentence = f"MILLRACE_METRICS_PORT={port} can't be listened on at {host}: {error}."
        raise UnavailableError(sentence, code="port_in_use", field="metrics_port") from None
    return server
