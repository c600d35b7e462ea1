"""The stream's numbers for Prometheus, on a port of their own. Spark's image holds no client for it: text is enough."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METRIC_HELP = {
    "rows_total": ("counter", "Pages scored."),
    "unreadable_total": ("counter", "Records that are no page."),
    "batches_total": ("counter", "Micro-batches done."),
    "batch_seconds_total": ("counter", "Seconds spent on micro-batches."),
    "repaired_total": ("counter", "Pages that the topics of the clusters lacked after a start."),
    "failures_total": ("counter", "Times the stream failed and was started again."),
    "champion_swaps_total": ("counter", "Champions loaded."),
    "champion_refused_total": ("counter", "Champions that could not be loaded."),
    "running": ("gauge", "1 while pages are read, 0 while it waits for a champion or an unavailable dependency."),
    "batch_seconds": ("gauge", "Seconds of the last micro-batch."),
    "lag": ("gauge", "Records published and not scored yet."),
    "watermark_seconds": ("gauge", "The newest arrival scored, in seconds since 1970."),
    "psi": ("gauge", "Population stability index of the clusters' shares against the training."),
    "inertia_ratio": ("gauge", "Mean squared distance to the centres, against the training's."),
    "moved": ("gauge", "Mean way from a centre to the mean of its pages, over the distance between two."),
    "cluster_pages": ("gauge", "Pages of a cluster in the lake."),
    "version": ("gauge", "1 for the version that scores."),
}


class StreamMetrics:
    """Values by name and labels, all named `millrace_stream_...` and labelled with the workload."""

    def __init__(self, workload: str):
        self._workload = workload
        self._values: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def set(self, name: str, value: float | None, label: str = "") -> None:
        """`label` is, for example, `version="..."`. A value of None is not shown."""
        with self._lock:
            if value is None:
                self._values.get(name, {}).pop(label, None)
            else:
                self._values.setdefault(name, {})[label] = value

    def replace(self, name: str, values: dict[str, float]) -> None:
        """All values of a name by their labels, and no others."""
        with self._lock:
            self._values[name] = values

    def add(self, name: str, value: float = 1) -> None:
        with self._lock:
            values = self._values.setdefault(name, {})
            values[""] = values.get("", 0) + value

    def render(self) -> bytes:
        """The text format of Prometheus, version 0.0.4."""
        lines = []
        with self._lock:
            for name, (kind, text) in METRIC_HELP.items():
                if not (values := self._values.get(name)):
                    continue
                full = f"millrace_stream_{name}"
                lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
                for label, value in values.items():
                    labels = ",".join(filter(None, [f'workload="{self._workload}"', label]))
                    lines.append(f"{full}{{{labels}}} {value}")
        return ("\n".join(lines) + "\n").encode()

    def serve(self, port: int, host: str) -> None:
        """Answer on /metrics until the process ends, in a thread. Raises OSError when the port is taken."""
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = metrics.render() if self.path == "/metrics" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """A scrape is no news."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        server = Server((host, port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
