"""Write the digests of the chart's images into a values file: `tools/pin_images.py FILE [REGISTRY TAG]`.

Each image is asked for at its own registry; one that does not answer is named, and its image stays a tag. With REGISTRY
and TAG the four images of `make images` are looked up too. Nothing is written that a registry did not say.
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

CHART = Path(__file__).parents[1] / "charts/millrace"
OWN = ("api", "connect", "ingest", "spark")
PLACES = (("catalog", "image"), ("storage", "seaweedfs", "image"), ("storage", "minio", "image"))
ACCEPTED = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
HUB = {"docker.io": "registry-1.docker.io"}


class UnresolvedError(Exception):
    """A registry that did not answer, or not with a digest that fits its answer."""


def split(image: str) -> tuple[str, str, str]:
    """(registry's host, repository, tag) of `docker.io/library/postgres:17.6`. Raises UnresolvedError."""
    match = re.fullmatch(r"(?P<host>[^/]+)/(?P<repository>[^:@]+):(?P<tag>[^:@/]+)", image)
    if not match:
        raise UnresolvedError(f"{image} is not HOST/REPOSITORY:TAG")
    return match["host"], match["repository"], match["tag"]


def address(host: str) -> str:
    """Where a registry answers; one on this machine without TLS."""
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{HUB.get(host, host)}"


def token(client: httpx.Client, challenge: str) -> str:
    """The token of a registry's challenge, for everybody. Raises UnresolvedError."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.startswith("Bearer ") or "realm" not in fields:
        raise UnresolvedError(f"asks for {challenge or 'a login'}, which this can't give")
    answer = client.get(fields.pop("realm"), params=fields)
    body = answer.json() if answer.is_success else {}
    result = body.get("token") or body.get("access_token")
    if not result:
        raise UnresolvedError(f"gave no token: {answer.status_code}")
    return result


def digest(client: httpx.Client, image: str) -> str:
    """`sha256:...` of what the tag means now, checked against the answer's own bytes. Raises UnresolvedError."""
    host, repository, tag = split(image)
    url = f"{address(host)}/v2/{repository}/manifests/{tag}"
    try:
        answer = client.get(url, headers={"Accept": ACCEPTED})
        if answer.status_code == 401:
            login = token(client, answer.headers.get("www-authenticate", ""))
            answer = client.get(url, headers={"Accept": ACCEPTED, "Authorization": f"Bearer {login}"})
    except httpx.HTTPError as error:
        raise UnresolvedError(f"does not answer: {type(error).__name__} {error}") from None
    if not answer.is_success:
        raise UnresolvedError(f"answers {answer.status_code}")
    result = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if (output := answer.headers.get("docker-content-digest", result)) != result:
        raise UnresolvedError(f"says {output} of bytes whose digest is {result}")
    return result


def pin_all(client: httpx.Client, registry: str = "", tag: str = "") -> dict[str, Any]:
    """Values that name by digest what could be resolved; sentences on standard error tell of the rest."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    results: dict[str, Any] = {}
    wanted = {position: _at(values, position) for position in PLACES}
    wanted |= {("image", "digests", name): f"{registry}/millrace-{name}:{tag}" for name in OWN if registry and tag}
    for position, image in wanted.items():
        try:
            resolved = digest(client, image)
        except UnresolvedError as error:
            print(f"{image} stays a tag: {image.partition('/')[0]} {error}", file=sys.stderr)
            continue
        below = results
        for part in position[:-1]:
            below = below.setdefault(part, {})
        below[position[-1]] = resolved if position[0] == "image" else f"{image}@{resolved}"
        print(f"{image} is {resolved}", file=sys.stderr)
    return results


def _at(values: dict[str, Any], position: tuple[str, ...]) -> str:
    result: Any = values
    for part in position:
        result = result[part]
    return result


def main() -> None:
    """Write the file, or end with a sentence when nothing could be resolved."""
    file, *own = sys.argv[1:]
    with httpx.Client(timeout=20, follow_redirects=True) as client:
        result = pin_all(client, *own)
    if not result:
        sys.exit("No registry answered; nothing was written.")
    head = "# Written by `make pin-images`: what the tags of the images meant then. Give it to helm after all others.\n"
    Path(file).write_text(head + yaml.safe_dump(result, sort_keys=False, width=200))


if __name__ == "__main__":
    main()
