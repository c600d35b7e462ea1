"""Single HTTP requests on connections of their own, as probes and polls make them.

httpx loads the machine's certificate authorities anew for each of its own `httpx.get`, some 50 ms of processor time
even where the address is plain HTTP; here a process loads them once.
"""

import ssl
from functools import cache
from typing import Any

import httpx

from millrace.runtime.proxies import leads_to_loopback


@cache
def tls_context() -> ssl.SSLContext:
    """The process's own context, with the authorities that httpx trusts by default."""
    return httpx.create_ssl_context()


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """The answer to one request, with the options of `httpx.request`. Raises httpx.HTTPError.

    Proxies of the environment are for other machines only.
    """
    return httpx.request(method, url, verify=tls_context(), trust_env=not leads_to_loopback(url), **options)


def get(url: str, **options: Any) -> httpx.Response:
    """The answer to a GET. Raises httpx.HTTPError."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """The answer to a POST. Raises httpx.HTTPError."""
    return request("POST", url, **options)
