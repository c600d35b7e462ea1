"""Kafka Connect as one sink sees it: as strict as the real one about when a connector's offsets may be altered."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

NOT_STOPPED = "Connectors must be in the STOPPED state before their offsets can be altered."
STILL_RUNNING = (
    "Failed to alter consumer group offsets for connector lake-rentals either because its tasks haven't stopped "
    "completely yet or the connector was resumed before the request to alter its offsets could be completed."
)


class ConnectServer:
    """One connector with one task; `trace` is what its task has failed with."""

    def __init__(self, connector: str, topic: str):
        self.connector, self.topic = connector, topic
        self.state, self.trace = "RUNNING", ""
        self.offsets: dict[int, int] = {}
        self.restarts = 0
        self.lingering = 0
        """How often a stopped task is still seen running, and altered offsets are refused."""

    def fail(self, trace: str) -> None:
        self.trace = trace

    def answer(self, method: str, path: str, body: dict) -> tuple[int, object]:
        action = path.split("?")[0].removeprefix(f"/connectors/{self.connector}")
        if action == path.split("?")[0]:
            return 404, {"error_code": 404, "message": "no such connector"}
        match method, action:
            case "GET", "/status":
                return 200, self._describe()
            case "GET", "/offsets":
                return 200, {"offsets": [self._entry(*item) for item in sorted(self.offsets.items())]}
            case "POST", "/restart":
                self.restarts, self.trace = self.restarts + 1, ""
                return 202, self._describe()
            case "PUT", "/stop":
                self.state, self.trace = "STOPPED", ""
                return 204, None
            case "PUT", "/resume":
                self.state = "RUNNING"
                return 202, None
            case "PATCH", "/offsets":
                return self._alter(body)
        return 405, {"error_code": 405, "message": f"{method} {path}"}

    def _describe(self) -> dict:
        state = "FAILED" if self.trace else "RUNNING"
        task = {"id": 0, "state": state} | ({"trace": self.trace} if self.trace else {})
        if self.state == "STOPPED":
            self.lingering -= 1
        tasks = [] if self.state == "STOPPED" and self.lingering < 0 else [task]
        return {"name": self.connector, "connector": {"state": self.state}, "tasks": tasks}

    def _entry(self, partition: int, offset: int) -> dict:
        return {
            "partition": {"kafka_topic": self.topic, "kafka_partition": partition},
            "offset": {"kafka_offset": offset},
        }

    def _alter(self, body: dict) -> tuple[int, object]:
        if self.state != "STOPPED":
            return 400, {"error_code": 400, "message": NOT_STOPPED}
        if self.lingering > 0:
            self.lingering -= 1
            return 500, {"error_code": 500, "message": STILL_RUNNING}
        for entry in body["offsets"]:
            assert entry["partition"]["kafka_topic"] == self.topic
            self.offsets[entry["partition"]["kafka_partition"]] = entry["offset"]["kafka_offset"]
        return 200, {"message": "The offsets for this connector have been altered successfully"}


@contextmanager
def serve(connect: ConnectServer) -> Iterator[str]:
    """The address at which it answers."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = connect.answer(self.command, self.path, json.loads(content or b"{}"))
            message = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(message)))
            self.end_headers()
            self.wfile.write(message)

        do_GET = do_PUT = do_POST = do_PATCH = answer

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
