"""Digests are those that a registry gave, checked against its bytes; what does not answer stays a tag."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

from tests.chart.render import pick, render
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import pin_images

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class Registry(BaseHTTPRequestHandler):
    """The distribution specification's part that is asked: a token for everybody, then manifests by tag."""

    digest = DIGEST

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/token":
            wanted = parse_qs(url.query)
            body = {"token": f"for {wanted['scope'][0]}"} if wanted.get("service") == ["test"] else {}
            self.answer(200 if body else 400, json.dumps(body).encode())
            return
        repository = url.path.removeprefix("/v2/").rpartition("/manifests/")[0]
        scope = f"repository:{repository}:pull"
        if self.headers.get("Authorization") != f"Bearer for {scope}":
            position = f"http://127.0.0.1:{self.server.server_address[1]}/token"
            self.answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{position}",service="test",scope="{scope}"'})
        elif not url.path.endswith("/1.0") or "oci.image.index" not in self.headers["Accept"]:
            self.answer(404, b"")
        else:
            self.answer(200, MANIFEST, {"Docker-Content-Digest": self.digest})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as result:
        yield result


def test_tag_is_resolved_after_registry_challenge(registry: str, client: httpx.Client):
    assert pin_images.digest(client, f"{registry}/some/image:1.0") == DIGEST


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("{registry}/some/image:2.0", "answers 404"),
        ("127.0.0.1:1/some/image:1.0", "does not answer: ConnectError"),
        ("postgres", "postgres is not HOST/REPOSITORY:TAG"),
    ],
)
def test_unresolved_image_is_reported_with_reason(registry: str, client: httpx.Client, image: str, sentence: str):
    with pytest.raises(pin_images.UnresolvedError, match=sentence):
        pin_images.digest(client, image.format(registry=registry))


def test_digest_mismatching_content_is_rejected(registry: str, client: httpx.Client, monkeypatch):
    monkeypatch.setattr(Registry, "digest", "sha256:" + "0" * 64)
    with pytest.raises(pin_images.UnresolvedError, match="of bytes whose digest is"):
        pin_images.digest(client, f"{registry}/some/image:1.0")


def test_chart_takes_resolved_digests_and_keeps_remaining_tags(
    registry: str, client: httpx.Client, monkeypatch, capsys
):
    monkeypatch.setattr(pin_images, "PLACES", (("catalog", "image"),))
    monkeypatch.setattr(pin_images, "_at", lambda values, position: f"{registry}/library/postgres:1.0")
    values = pin_images.pin_all(client, registry, "1.0")
    assert values["catalog"]["image"] == f"{registry}/library/postgres:1.0@{DIGEST}"
    assert values["image"]["digests"] == dict.fromkeys(pin_images.OWN, DIGEST)
    objects = render(values | {"image": values["image"] | {"registry": registry}})
    api = pick(objects, "Deployment", "millrace-api")["spec"]["template"]["spec"]["containers"][0]
    assert api["image"] == f"{registry}/millrace-api@{DIGEST}"
    monkeypatch.setattr(pin_images, "_at", lambda values, position: "127.0.0.1:1/library/postgres:1.0")
    assert pin_images.pin_all(client) == {}
    assert "127.0.0.1:1/library/postgres:1.0 stays a tag: 127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_no_chart_or_containerfile_image_is_latest_or_unresolved_digest():
    values = yaml.safe_load((ROOT / "charts/millrace/values.yaml").read_text())
    images = [pin_images._at(values, place) for place in pin_images.PLACES]
    for file in (ROOT / "k8s/images").glob("*/Containerfile"):
        images += [
            line.partition("=")[2]
            for line in file.read_text().splitlines()
            if line.startswith("ARG ") and "BASE=" in line
        ]
    assert len(images) >= 7
    for image in images:
        assert ":" in image.rpartition("/")[2]
        assert "@" not in image
        assert not image.endswith(":latest")
