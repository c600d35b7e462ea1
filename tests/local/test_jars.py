import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from millrace.errors import CorruptError, UnavailableError
from millrace.local import jars, stack
from millrace.settings import settings

BODY = b"a jar" * 100_000


class Maven(http.server.ThreadingHTTPServer):
    """Serves BODY for every path but those that contain `absent`; the first `broken` answers end half-way."""

    broken = 0
    asked = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Maven

    def do_GET(self):
        self.server.asked += 1
        if "absent" in self.path:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        half = self.server.asked <= self.server.broken
        self.wfile.write(BODY[: len(BODY) // 2] if half else BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def maven(tmp_path, monkeypatch):
    with Maven(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MILLRACE_MAVEN_URL", f"http://127.0.0.1:{server.server_port}/maven2/")
        monkeypatch.setattr(jars, "LOCK_FILE", tmp_path / "jars.lock")
        settings.cache_clear()
        yield server
        server.shutdown()
        thread.join()
    settings.cache_clear()


def lock(*names: str, sha256: str = hashlib.sha256(BODY).hexdigest(), size: int = len(BODY)) -> None:
    jars.LOCK_FILE.write_text("# a comment\n" + "".join(f"tools org/{name}.jar {sha256} {size}\n" for name in names))


def kept() -> list[str]:
    return sorted(file.name for file in jars.bundle_folder("tools").iterdir())


def test_jars_are_downloaded_once(maven):
    lock("one", "two")
    seen = []
    jars.ensure_jars(["tools"], lambda done, total: seen.append((done, total)))
    assert kept() == ["one.jar", "two.jar"]
    assert max(seen) == (2 * len(BODY), 2 * len(BODY))
    assert [Path(path).read_bytes() for path in jars.bundle_classpath("tools").split(":")] == [BODY, BODY]
    jars.ensure_jars(["tools"])
    assert maven.asked == 2


def test_jar_with_wrong_checksum_is_rejected_and_not_kept(maven):
    lock("one", sha256="0" * 64)
    with pytest.raises(CorruptError, match=r"one.jar has the checksum .* the lock says 0000000000000000"):
        jars.ensure_jars(["tools"])
    assert kept() == []


def test_interrupted_download_is_retried(maven):
    maven.broken = 1
    lock("one")
    seen = []
    jars.ensure_jars(["tools"], lambda done, total: seen.append(done))
    assert kept() == ["one.jar"]
    assert seen[-1] == len(BODY)


def test_missing_jar_is_reported_and_downloaded_ones_are_kept(maven):
    lock("one", "absent")
    with pytest.raises(UnavailableError, match=r"absent.jar can't be downloaded.*404"):
        jars.ensure_jars(["tools"])
    assert maven.asked == 2
    assert kept() == ["one.jar"]
    assert [jar.path for jar in jars.find_missing("tools")] == ["org/absent.jar"]


def test_unavailable_network_is_reported_with_a_fix(maven, monkeypatch):
    lock("one")
    monkeypatch.setenv("MILLRACE_MAVEN_URL", "http://127.0.0.1:1")
    settings.cache_clear()
    with pytest.raises(UnavailableError, match=r"Check the network, or set MILLRACE_MAVEN_URL"):
        jars.ensure_jars(["tools"])


def test_insufficient_disk_space_is_reported_before_download(maven):
    lock("one", size=10**17)
    with pytest.raises(UnavailableError, match=r"GB free and the jars need.*MILLRACE_CACHE") as raised:
        jars.ensure_jars(["tools"])
    assert raised.value.code == "no_disk"
    assert maven.asked == 0


def test_cache_path_that_is_a_file_is_reported(maven, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    lock("one")
    with pytest.raises(UnavailableError, match=r"can't be kept in"):
        jars.ensure_jars(["tools"])


def test_lock_contains_everything_the_stack_starts():
    names = {bundle: " ".join(jar.path for jar in jars.load_lock(bundle)) for bundle in stack.BUNDLES}
    # Without this one Kafka and Connect would log nothing, and no fault would have a cause.
    assert "log4j-slf4j-impl" in names["kafka"]
    assert "iceberg-kafka-connect" in names["connect-iceberg"]
    assert "s3proxy" in names["s3proxy"]
    assert "spark-sql-kafka" in names["spark"]
