"""The S3 server: S3Proxy over a folder, or MinIO where its binary is found."""

import os
import shutil
from pathlib import Path

from millrace.errors import UnavailableError
from millrace.local import jvm
from millrace.local.child import Child, http_probe
from millrace.local.state import write_private_text
from millrace.runtime.properties import format_properties
from millrace.settings import settings

CONFIG = "s3proxy.properties"
DATA = "s3"
S3PROXY = {
    "s3proxy.authorization": "aws-v2-or-v4",
    "s3proxy.maximum-timeskew": 900,
    "jclouds.provider": "filesystem-nio2",
}
# The jars bring Logback, whose default is DEBUG and slow.
LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


def find_minio() -> Path:
    """The MinIO binary of the settings, the cache or PATH. Raises UnavailableError that says how to get one."""
    cached = settings().cache / "bin/minio"
    places = [settings().minio] if settings().minio else [cached, shutil.which("minio")]
    for path in places:
        if path and os.access(path, os.X_OK) and Path(path).is_file():
            return Path(path)
    if settings().minio:
        raise UnavailableError(f"MILLRACE_MINIO={settings().minio} is not a program that can be run.", code="no_minio")
    raise UnavailableError(
        f"MILLRACE_LOCAL_S3=minio needs a minio binary in PATH or at {cached}; `make minio` builds it with Go.",
        code="no_minio",
    )


def is_minio_wanted() -> bool:
    """Whether the settings ask for MinIO."""
    return settings().local_s3 == "minio" or settings().minio is not None


def make_s3(home: Path, java: Path, port: int, key: str, secret: str) -> Child:
    """Credentials reach the server by a file or the environment, never by the command line."""
    if is_minio_wanted():
        command = [str(find_minio()), "server", "--quiet", "--address", f"127.0.0.1:{port}", "minio"]
        environment = {"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret, "MINIO_BROWSER": "off"}
        ready = http_probe(f"http://127.0.0.1:{port}/minio/health/ready")
        return Child("s3", command, port, ready, environment, folder=home)
    jvm.link_jars(home)
    (home / DATA).mkdir(exist_ok=True)
    own = {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.identity": key,
        "s3proxy.credential": secret,
        # Not relative: it then loses the parts of an upload.
        "jclouds.filesystem.basedir": home.absolute() / DATA,
    }
    write_private_text(home / CONFIG, format_properties(S3PROXY | own))
    (home / "logback.xml").write_text(LOGBACK)
    options = ["-Xms64m", "-Xmx384m", *jvm.SHARED_OPTIONS, "-Dlogback.configurationFile=logback.xml"]
    command = [str(java), *options, "-cp", jvm.relative_classpath("s3proxy"), "org.gaul.s3proxy.Main"]
    command += ["--properties", CONFIG]
    return Child("s3", command, port, http_probe(f"http://127.0.0.1:{port}/", 200, 403), folder=home)
