"""What a browser of anybody may send here, and in which form a body is read."""

import gzip
import re
import zlib

import pytest

from millrace.api.main import create_app
from millrace.settings import settings
from tests.api.inside import inside

PATH = "/course_popularity"
ROW = b'{"num_subscribers": "10,000", "num_reviews": 310, "num_lectures": 42, "content_duration": 4.5}'
POSTS = [PATH, "/v1/courses/popularity/predict", "/v1/mooc/events", "/v1/mooc/recommendations", "/v1/urls/pages"]


@pytest.fixture
def serve(monkeypatch):
    """Serves the API with further settings, without champions."""

    def start(**variables: str):
        monkeypatch.setenv("MILLRACE_API_LIVE", "false")
        for name, value in variables.items():
            monkeypatch.setenv(f"MILLRACE_{name.upper()}", value)
        settings.cache_clear()
        return inside(create_app())

    yield start
    monkeypatch.undo()
    settings.cache_clear()


def as_json(**more: str) -> dict[str, str]:
    return {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "192.168.1.5", "a b"])
@pytest.mark.parametrize("path", ["/", "/health/live", "/v1/models", "/docs"])
def test_unknown_host_name_is_rejected(api, host, path):
    answer = api.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "unknown_host"
    assert "MILLRACE_API_HOSTS" in answer.json()["error"]["message"]


def test_rejection_on_protocol_path_uses_protocol_format(api):
    answer = api.get("/v2", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("Host: 'evil.example'")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000"])
def test_local_host_names_are_accepted(api, host):
    assert api.get("/health/live", headers={"Host": host}).status_code == 200


def test_configured_host_names_are_also_accepted(serve):
    with serve(api_hosts="api.example.com, *.apps.example.com") as api:
        for host in ("api.example.com", "a.apps.example.com:443", "localhost"):
            assert api.get("/health/live", headers={"Host": host}).status_code == 200
        assert api.get("/health/live", headers={"Host": "other.example.com"}).status_code == 403


def test_non_local_server_accepts_any_host_name_until_some_are_configured(serve):
    with serve(api_host="0.0.0.0") as api:
        assert api.get("/health/live", headers={"Host": "millrace-api.millrace.svc"}).status_code == 200
    with serve(api_host="0.0.0.0", api_hosts="millrace-api") as api:
        for host, status in {"millrace-api": 200, "10.42.0.7:8000": 200, "evil.example": 403}.items():
            assert api.get("/health/live", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost"])
@pytest.mark.parametrize("path", [*POSTS, "/v2/models/courses.popularity/infer"])
def test_post_from_page_of_another_origin_is_rejected(api, path, origin):
    answer = api.post(path, content=b"{}", headers=as_json(Origin=origin))
    assert answer.status_code == 403
    assert "Origin: " in answer.text


def test_own_pages_and_configured_origins_may_post(api, serve):
    assert api.post(PATH, content=ROW, headers=as_json(Origin=str(api.base_url))).status_code == 200
    with serve(api_cors_origins="https://shop.example") as other:
        for origin, status in {"https://shop.example": 503, "https://other.example": 403}.items():  # no champion: 503
            assert other.post(PATH, content=ROW, headers=as_json(Origin=origin)).status_code == status


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
)
def test_content_type_that_any_page_could_send_is_rejected(api, path, kind):
    answer = api.post(path, content=ROW, headers={"Content-Type": kind} if kind else None)
    assert answer.status_code == 415
    assert answer.json()["error"]["message"].startswith("Content-Type: ")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf8"']
)
def test_utf_8_json_is_accepted(api, kind):
    assert api.post(PATH, content=ROW, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "cp1252", ""])
def test_unsupported_charset_is_rejected_by_name(api, charset):
    kind = f"application/json; charset={charset}"
    answer = api.post(PATH, content=ROW.decode().encode("utf-16"), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert f"charset '{charset}' is not read; allowed: utf-8" in answer.json()["error"]["message"]


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("identity", bytes),
    ],
)
def test_compressed_body_is_decompressed(api, coding, pack):
    plain = api.post(PATH, content=ROW, headers=as_json()).json()
    for body in (pack(ROW), iter([bytes([byte]) for byte in pack(ROW)])):
        answer = api.post(PATH, content=body, headers=as_json(Content_Encoding=coding))
        assert answer.json() == plain


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "nonsense"])
def test_unsupported_content_encoding_is_rejected_with_supported_ones(api, coding):
    answer = api.post(PATH, content=ROW, headers=as_json(Content_Encoding=coding))
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert answer.json()["error"]["message"].startswith(f"Content-Encoding: '{coding}' is not read")


@pytest.mark.parametrize(
    "body", [ROW, gzip.compress(ROW)[:-4], gzip.compress(ROW) + b"more", b"\x1f\x8b", zlib.compress(ROW)], ids=range(5)
)
def test_body_not_matching_its_content_encoding_is_rejected(api, body):
    answer = api.post(PATH, content=body, headers=as_json(Content_Encoding="gzip"))
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("body: is not gzip, as Content-Encoding says: ")


@pytest.mark.parametrize("path", [PATH, "/v1/mooc/recommendations", "/v2/models/courses.popularity/infer"])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_body_limit_applies_to_decompressed_size(api, path, coding, pack):
    body = pack(b" " * 50_000_000)
    assert len(body) < 100_000
    answer = api.post(path, content=body, headers=as_json(Content_Encoding=coding))
    assert answer.status_code == 413
    assert "has more than 2000000 bytes once it is unpacked; allowed: 2000000 bytes" in answer.text


def test_head_is_supported_wherever_get_is(api):
    document = api.get("/openapi.json").json()
    paths = [re.sub(r"{\w+}", "x", path) for path, operations in document["paths"].items() if "get" in operations]
    assert {"/", "/health/ready", "/metrics", "/v1/urls/live/events"} <= set(paths)
    for path in [*paths, "/docs", "/docs/docs.js", "/openapi.json", "/v1/urls/live/live.js"]:
        head = api.head(path)
        with api.stream("GET", path) as get:
            assert head.status_code == get.status_code, path
            assert head.headers["content-type"] == get.headers["content-type"], path
        assert head.content == b""
    assert api.head(PATH).status_code == 405
    assert api.delete("/health/live").headers["allow"] == "GET, HEAD"
    assert api.put("/v1/mooc/recommendations").headers["allow"] == "GET, HEAD, POST"


def test_every_post_documents_its_rejections(api):
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert {"403", *(["415"] if method == "post" else [])} <= set(operation["responses"]), f"{method} {path}"


@pytest.mark.parametrize(
    ("path", "row", "sentence"),
    [
        (PATH, {"num_subscribers": 9007199254740993}, "at most 9007199254740991"),
        (PATH, {"num_reviews": None}, "num_reviews: null is not usable"),
        (PATH, {"num_lectures": True}, "num_lectures: true is not usable"),
        ("/v1/mooc/recommendations", {"history": [None]}, "history[0]: null is not usable"),
        ("/v1/mooc/recommendations", {"history": [], "keep_known": None}, "keep_known: null is not usable"),
    ],
)
def test_error_messages_use_json_notation(api, path, row, sentence):
    parameters = {"num_subscribers": 1, "num_reviews": 1, "num_lectures": 1, "content_duration": 1} | row
    answer = api.post(path, json=parameters if path == PATH else row)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]["message"]


def test_documentation_is_served_without_external_hosts(api, serve):
    page = api.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "http" not in page.text
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
        content = api.get(f"/{name}")
        assert content.status_code == 200
        assert not re.search(r"https?://(?!www\.w3\.org)", content.text), name
        for imported in re.findall(r'from "\./([^"]+)"', content.text):
            assert api.get(f"/docs/{imported}").status_code == 200
    assert api.get("/redoc").status_code == 404
    with serve(api_keys="a-key") as closed:
        assert closed.get("/docs").status_code == closed.get("/docs/docs.js").status_code == 200
        assert closed.get("/openapi.json").status_code == 401
