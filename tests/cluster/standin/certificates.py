"""A small certificate authority by openssl: one for each Kafka cluster, kept in the secret that Strimzi keeps it in."""

import subprocess
import tempfile
from pathlib import Path


def _openssl(*arguments: str, folder: Path) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr[-500:]}")


def authority(name: str) -> dict[str, str]:
    """{"ca.crt", "ca.key"} in PEM."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        subject = f"/O=io.strimzi/CN={name}"
        options = ["-newkey", "rsa:2048", "-nodes", "-days", "365", "-keyout", "ca.key", "-out", "ca.crt"]
        _openssl("req", "-x509", *options, "-subj", subject, folder=folder)
        return {file: (folder / file).read_text() for file in ("ca.crt", "ca.key")}


def signed(ca: dict[str, str], common_name: str, names: list[str]) -> dict[str, str]:
    """{"tls.crt", "tls.key"} in PEM, good as a server under `names` and as a client `CN=<common_name>,O=io.strimzi`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for file, content in ca.items():
            (folder / file).write_text(content)
        alternatives = ",".join(f"DNS:{name}" for name in names)
        (folder / "extensions").write_text(f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={alternatives}\n")
        subject = f"/O=io.strimzi/CN={common_name}"
        request = ["-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.csr"]
        _openssl("req", *request, "-subj", subject, folder=folder)
        sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365", "-extfile", "extensions"]
        _openssl("x509", "-req", "-in", "tls.csr", *sign, "-out", "tls.crt", folder=folder)
        return {file: (folder / file).read_text() for file in ("tls.crt", "tls.key")}
