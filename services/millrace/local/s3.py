"""The S3 server: S3Proxy over a folder, or MinIO where its binary is found."""

import os
import shutil
from pathlib import Path

from millrace.errors import Unavailable
from millrace.local import jars
from millrace.local.child import Child, answers
from millrace.local.java import SHARED
from millrace.settings import settings

S3PROXY = """\
s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={key}
s3proxy.credential={secret}
s3proxy.maximum-timeskew=900
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={data}
"""
# The jars bring Logback, whose default is DEBUG and slow.
LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


def minio_binary() -> Path:
    """The MinIO binary of the settings, the cache or PATH. Raises Unavailable that says how to get one."""
    cached = settings().cache / "bin/minio"
    places = [settings().minio] if settings().minio else [cached, shutil.which("minio")]
    for place in places:
        if place and os.access(place, os.X_OK) and Path(place).is_file():
            return Path(place)
    if settings().minio:
        raise Unavailable(f"MILLRACE_MINIO={settings().minio} is not a program that can be run.", code="no_minio")
    raise Unavailable(
        f"MILLRACE_LOCAL_S3=minio needs a minio binary in PATH or at {cached}; `make minio` builds it with Go.",
        code="no_minio",
    )


def wants_minio() -> bool:
    """Whether the settings ask for MinIO."""
    return settings().local_s3 == "minio" or settings().minio is not None


def prepare(home: Path, java: Path, port: int, key: str, secret: str) -> Child:
    """Credentials reach the server by a file or the environment, never by the command line."""
    if wants_minio():
        data = home / "minio"
        command = [str(minio_binary()), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(data)]
        environment = {"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret, "MINIO_BROWSER": "off"}
        return Child("s3", command, port, answers(f"http://127.0.0.1:{port}/minio/health/ready"), environment)
    data = home / "s3"
    data.mkdir(exist_ok=True)
    config = home / "s3proxy.properties"
    config.touch(mode=0o600)
    config.write_text(S3PROXY.format(port=port, key=key, secret=secret, data=data))
    logback = home / "logback.xml"
    logback.write_text(LOGBACK)
    options = ["-Xms64m", "-Xmx384m", *SHARED, f"-Dlogback.configurationFile={logback}"]
    command = [str(java), *options, "-cp", jars.classpath("s3proxy"), "org.gaul.s3proxy.Main"]
    command += ["--properties", str(config)]
    return Child("s3", command, port, answers(f"http://127.0.0.1:{port}/", 200, 403))
