"""Object storage with conditional writes: the same sentences hold for every S3 server."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from millrace.errors import ConflictError, NotFoundError, UnavailableError
from millrace.registry.store import ObjectStore
from tests.registry.conftest import REAL
from tests.registry.servers import free_port, settings_of


def test_bucket_is_created_once(store):
    assert store.ensure_bucket() is False


def test_stored_object_is_read_back_with_same_etag(store):
    etag = store.put("a/b", b"one")
    assert store.get("a/b") == (b"one", etag)


def test_missing_object_is_reported_by_key(store):
    with pytest.raises(NotFoundError, match="a/missing does not exist"):
        store.get("a/missing")


def test_put_if_absent_rejects_different_content_and_keeps_original(store):
    store.put_if_absent("key", b"one")
    with pytest.raises(ConflictError, match="key was changed by somebody else"):
        store.put_if_absent("key", b"two")
    assert store.get("key")[0] == b"one"


def test_retried_put_recognises_its_first_attempt_after_lost_response(store):
    etag = store.put_if_absent("key", b"one")
    assert store.put_if_absent("key", b"one") == etag
    newer = store.put_if_match("key", b"two", etag)
    assert store.put_if_match("key", b"two", etag) == newer


def test_put_if_match_rejects_stale_etag(store):
    first = store.put("key", b"one")
    store.put_if_match("key", b"two", first)
    with pytest.raises(ConflictError):
        store.put_if_match("key", b"three", first)
    assert store.get("key")[0] == b"two"


def test_put_if_match_rejects_deleted_object(store):
    etag = store.put("key", b"one")
    store.delete("key")
    with pytest.raises((ConflictError, NotFoundError)):
        store.put_if_match("key", b"two", etag)


@pytest.mark.parametrize("s3_settings", REAL, indirect=True)
def test_exactly_one_of_eight_concurrent_writers_creates_object(store):
    for number in range(10):
        key, start = f"key-{number}", Barrier(8)

        def create(writer: int, key: str = key, start: Barrier = start) -> bool:
            start.wait()
            try:
                store.put_if_absent(key, f"writer {writer}".encode())
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert won.count(True) == 1
        assert store.get(key)[0] == f"writer {won.index(True)}".encode()


def test_unchanged_object_is_not_sent_again(store):
    etag = store.put("key", b"one")
    assert store.get_if_changed("key", None) == (b"one", etag)
    assert store.get_if_changed("key", etag) is None
    newer = store.put("key", b"two")
    assert store.get_if_changed("key", etag) == (b"two", newer)
    with pytest.raises(NotFoundError):
        store.get_if_changed("missing", etag)


def test_names_and_keys_are_listed_sorted(store):
    for key in ("m/b/2", "m/a/1", "m/a/0", "n/c"):
        store.put(key, b"x")
    assert store.names("m/") == ["a", "b"]
    assert store.keys("m/a") == ["m/a/0", "m/a/1"]


def test_unavailable_server_is_reported_with_its_setting(s3_settings):
    away = s3_settings | {"MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with settings_of(away), pytest.raises(UnavailableError, match=r"does not answer.*MILLRACE_S3_ENDPOINT"):
        ObjectStore("any").get("key")


@pytest.mark.parametrize("s3_settings", REAL, indirect=True)
def test_wrong_credentials_are_rejected_with_clear_message(store, s3_settings):
    wrong = s3_settings | {"MILLRACE_S3_SECRET_KEY": "another-secret"}
    with settings_of(wrong), pytest.raises(UnavailableError, match="S3 refused"):
        ObjectStore(store.bucket).get("key")
