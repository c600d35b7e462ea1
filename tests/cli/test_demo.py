"""The demo's tables against an API of two workers that each take up an event in their own time."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from millrace.cli.demo import ask_after_events
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.conftest import generated


class Api(ThreadingHTTPServer):
    """Recommends the items that the user has not taken; every other worker hears of an event five answers late."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[str] = []
        self.answered = 0

    def recommend(self) -> list[str]:
        self.answered += 1
        behind = self.answered % 2 == 0 and self.answered < 7
        return [item for item in ("C_1", "C_2", "C_3", "C_4") if behind or item not in self.taken]


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        items = [{"id": item, "name": item, "score": 1.0} for item in self.server.recommend()]
        self.reply({"items": items, "fallback": None})

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append(event["course_id"])
        self.reply({"accepted": 1, "positions": [{"partition": 0, "offset": 0}]})

    def reply(self, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def api(monkeypatch):
    server = Api()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MILLRACE_API_PORT", str(server.server_port))
    settings.cache_clear()
    yield server
    settings.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


def test_answers_reflect_events_listed_above_them(api, tmp_path):
    mooc = find_workload("mooc")
    shown = ask_after_events([mooc], {"mooc": generated(mooc, 40, 3, tmp_path)})
    (event,), (answer,) = shown["events"], shown["answers"]
    assert event["took"] == "C_1"
    assert answer["path"] == f"/v1/mooc/recommendations/{event['user']}"
    assert [item["id"] for item in answer["answer"]["items"]] == event["after"] == ["C_2", "C_3", "C_4"]
