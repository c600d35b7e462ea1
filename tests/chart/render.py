"""The chart as helm renders it, as objects."""

import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/millrace"
KUBERNETES = "1.34.0"
Object = dict[str, Any]


class Refused(Exception):
    """helm refused the values; the text is what it said."""


@functools.cache
def helm() -> str | None:
    """The helm binary: of the machine, of `make helm`, or of the test cluster."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    places = [cache / "millrace/bin", Path("~/.cache/test-cluster/bin").expanduser()]
    return shutil.which("helm", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, places)]))


def render(
    values: dict[str, Any] | None = None,
    *profiles: str,
    name: str = "millrace",
    only: str | None = None,
    chart: Path = CHART,
) -> list[Object]:
    """The objects of `helm template` with the profile files and `values` over them. Raises Refused.

    `only` is a folder of templates; the others are rendered too, so that their checks count.
    """
    return list(_rendered(json.dumps(values or {}, sort_keys=True), profiles, name, only, chart))


@functools.lru_cache(maxsize=256)
def _rendered(values: str, profiles: tuple[str, ...], name: str, only: str | None, chart: Path) -> tuple[Object, ...]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(values)
        file.flush()
        files = [*(str(CHART / f"values-{profile}.yaml") for profile in profiles), file.name]
        options = [option for path in files for option in ("--values", path)]
        command = [helm(), "template", name, str(chart), "--namespace", "millrace", "--kube-version", KUBERNETES]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    results = []
    for part in done.stdout.split("\n---\n"):
        source = next((line.split("/templates/")[1] for line in part.splitlines() if line.startswith("# Source:")), "")
        if only is None or source.startswith(f"{only}/"):
            results += [item for item in yaml.load_all(part, yaml.CSafeLoader) if item]
    return tuple(results)


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """Name -> object of that kind."""
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def pick(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """The object of that kind and name, or the only one of that kind."""
    result = of_kind(objects, kind)
    if name is None:
        assert len(result) == 1, f"{kind}: {sorted(result)}"
        return next(iter(result.values()))
    return result[name]
