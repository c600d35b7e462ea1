"""An S3 that holds callers to policy documents of IAM: `python -m tests.registry.enforced`.

Standard input begins with a line of JSON, {access key: [statements]}; it prints its port and ends with its input.
Behind the policies is moto. Caller, action and resource are those that AWS would see; signatures are not checked.
"""

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

CALLER = re.compile(r"Credential=([^/]+)/")
ADMIN = "admin"
"""The access key that may do everything: it makes what the tests begin with."""

OBJECT = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
BUCKET = {
    "GET": "s3:ListBucket",
    "HEAD": "s3:ListBucket",
    "PUT": "s3:CreateBucket",
    "DELETE": "s3:DeleteBucket",
}


def needed(method: str, path: str, query: dict[str, list[str]], body: bytes) -> Iterator[tuple[str, str]]:
    """(action, ARN) of everything that a request does: the S3 service authorization reference."""
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "POST" and "delete" in query:
            for result in re.findall(rb"<Key>(.*?)</Key>", body):
                yield "s3:DeleteObject", f"{arn}/{result.decode()}"
        elif "uploads" in query:
            yield "s3:ListBucketMultipartUploads", arn
        elif "location" in query:
            yield "s3:GetBucketLocation", arn
        else:
            yield BUCKET[method], arn
    elif "uploadId" in query and method in ("GET", "DELETE"):
        yield {"GET": "s3:ListMultipartUploadParts", "DELETE": "s3:AbortMultipartUpload"}[method], f"{arn}/{key}"
    else:
        yield "s3:PutObject" if method == "POST" else OBJECT[method], f"{arn}/{key}"


def allowed(statements: list[dict[str, Any]], action: str, arn: str) -> bool:
    """Whether one of the statements allows it; these documents deny nothing."""
    for statement in statements:
        actions, resources = (
            [result] if isinstance(result, str) else result for result in (statement["Action"], statement["Resource"])
        )
        if statement["Effect"] != "Allow":
            raise ValueError(f"only statements that allow are understood: {statement}")
        if any(fnmatchcase(action, one) for one in actions) and any(fnmatchcase(arn, one) for one in resources):
            return True
    return False


class Enforced:
    """moto behind the policies of each access key."""

    def __init__(self, policies: dict[str, list[dict[str, Any]]]):
        self.policies = policies
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        caller = CALLER.search(environ.get("HTTP_AUTHORIZATION", ""))
        key = caller[1] if caller else ""
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = b""
        if method == "POST" and "delete" in query:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
        statements = self.policies.get(key, [])
        for action, arn in needed(method, path, query, body) if key != ADMIN else ():
            if not allowed(statements, action, arn):
                return self._refuse(start_response, key, action, arn)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            # Whoever may not list a bucket is not told which objects it lacks.
            bucket = f"arn:aws:s3:::{unquote(path).lstrip('/').partition('/')[0]}"
            if status.startswith("404") and key != ADMIN and not allowed(statements, "s3:ListBucket", bucket):
                status = "403 Forbidden"
            return start_response(status, headers, *more)

        return self.moto(environ, start)

    def _refuse(self, start_response: Callable[..., Any], key: str, action: str, arn: str) -> list[bytes]:
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        message = f"{key or 'nobody'} is not authorized to perform: {action} on resource: {arn}"
        return [f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode()]


class Quiet(WSGIRequestHandler):
    def log_request(self, *args: Any) -> None:
        pass


def main() -> None:
    policies = json.loads(sys.stdin.readline())
    server = make_server("127.0.0.1", 0, Enforced(policies), threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
