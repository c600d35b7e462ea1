"""Whom a request is meant for, and which page sent it."""

import pytest

from millrace.runtime.hosts import is_same_origin, make_host_check

HERE = ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:80", "[::ffff:127.0.0.1]", "a.localhost"]
STRANGE = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "a b", "evil.example@localhost"]


@pytest.mark.parametrize("listening", ["127.0.0.1", "::1", "localhost"])
def test_loopback_server_accepts_only_loopback_host_names(listening):
    accepts = make_host_check(listening, [])
    assert all(map(accepts, HERE))
    assert not any(map(accepts, [*STRANGE, "10.0.0.7", "0.0.0.0"]))


def test_configured_host_names_are_also_accepted():
    accepts = make_host_check("127.0.0.1", ["api.example.com", "*.apps.example.com"])
    assert all(map(accepts, [*HERE, "API.example.com.", "api.example.com:443", "a.apps.example.com"]))
    assert not any(map(accepts, [*STRANGE, "b.api.example.com", "apps.example.com", "evilapps.example.com"]))


def test_non_loopback_server_accepts_any_host_until_names_are_configured():
    assert all(map(make_host_check("0.0.0.0", []), [*HERE, *STRANGE]))
    accepts = make_host_check("0.0.0.0", ["millrace-api"])
    # Probes and scrapes name the pod by its address, which nobody can rebind.
    assert all(map(accepts, [*HERE, "millrace-api:8000", "10.42.0.7:8000", "[fd00::7]:8000"]))
    assert not any(map(accepts, STRANGE))


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("https://api.example.com", "api.example.com", True),
        ("https://api.example.com", "API.example.com:443", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://localhost:3000", "localhost:8000", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
        ("https://evil.example", "localhost:8000", False),
        ("null", "null", False),
        ("file://", "localhost", False),
        ("http://localhost:8000/path", "localhost:8000", False),
    ],
)
def test_same_origin_requires_matching_host_and_port(origin, host, same):
    assert is_same_origin(origin, host) is same
