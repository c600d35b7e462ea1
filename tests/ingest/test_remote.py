"""Sources that lie in S3 or on the web."""

import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from millrace.errors import BadInputError, NotFoundError, UnavailableError
from millrace.ingest.publish import validate_source
from millrace.ingest.remote import fetch_source
from millrace.registry.store import ObjectStore
from millrace.settings import settings
from millrace.workloads import find_workload

ROW = (
    "course_id,course_title,url,is_paid,price,num_subscribers,num_reviews,num_lectures,level,content_duration,"
    "published_timestamp,subject\n7,Piano,https://c.example/7,True,20,9,1,3,All Levels,1.5,2017-01-18T20:58:58Z,Music\n"
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path):
    (tmp_path / "courses.csv").write_text(ROW)
    server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_local_path_and_stdin_are_left_unchanged():
    with fetch_source("courses.csv") as path:
        assert path == "courses.csv"
    with fetch_source("-") as path:
        assert path == "-"


def test_web_source_is_read_under_its_own_name_and_removed_afterwards(web):
    with fetch_source(f"{web}/courses.csv") as path:
        assert Path(path).name == "courses.csv"
        assert validate_source(find_workload("courses"), path).accepted == 1
    assert not Path(path).exists()


def test_missing_or_unreachable_address_is_reported(web):
    with pytest.raises(NotFoundError, match=r"none\.csv answers 404"), fetch_source(f"{web}/none.csv"):
        pass
    with pytest.raises(UnavailableError, match="can't be fetched"), fetch_source("http://127.0.0.1:1/courses.csv"):
        pass


def test_s3_source_is_read(stack):
    store = ObjectStore(settings().models_bucket)
    store.put("sources/courses.csv", ROW.encode())
    with fetch_source(f"s3://{settings().models_bucket}/sources/courses.csv") as path:
        assert validate_source(find_workload("courses"), path).accepted == 1
    store.delete("sources/courses.csv")
    with (
        pytest.raises(NotFoundError, match=r"sources/courses\.csv does not exist"),
        fetch_source(f"s3://{settings().models_bucket}/sources/courses.csv"),
    ):
        pass


@pytest.mark.parametrize("source", ["ftp://host/file.csv", "s3://bucket", "s3:///key"])
def test_unsupported_address_is_rejected_with_allowed_forms(source):
    with pytest.raises(BadInputError, match=r"allowed: .*s3://BUCKET/KEY"), fetch_source(source):
        pass
