"""When an updater follows a model, and what of a deltas topic it takes back."""

import threading
from types import SimpleNamespace

from millrace.messaging.fence import Claim
from millrace.messaging.producer import Headers
from millrace.messaging.reader import Message
from millrace.online import updater
from millrace.online.log_lease import Tenure
from millrace.online.scratch import ScratchFolder
from millrace.online.updater import ModelFollower, delete_versions
from millrace.online.version_base import VersionBase
from tests.online import made

KEYS = [
    "pairs/v1/watermark",
    "pairs/v1/user/U",
    "pairs/v2/user/U",
    "tastes/v0/user/U",
    "tastes/v0/watermark",
    "pairs/writer",
    "pairs/alive",
    "tastes/writer",
    "v9/user/a/b",
]


class RecordingProducer:
    """Acknowledges everything at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None]] = []
        self.headers: set[tuple[tuple[str, bytes], ...]] = set()
        self.broken = False

    def send(self, topic: str, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
        self.sent.append((key.decode(), value))
        self.headers.add(tuple(headers))

    def flush(self) -> None:
        if self.broken:
            raise OSError("the connection broke")

    def close(self) -> None: ...


def take_back(monkeypatch, producer: RecordingProducer, tenure: Tenure) -> None:
    messages = [Message(0, offset, 0, key.encode(), b"{}", {}) for offset, key in enumerate(KEYS)]
    monkeypatch.setattr(updater, "read_all", lambda topic: iter(messages))
    monkeypatch.setattr(updater, "make_producer", lambda: producer)
    model = made.MOOC.recommenders[0].__class__(**made.MOOC.recommenders[0].__dict__ | {"name": "pairs"})
    delete_versions(made.MOOC, model, tenure, {"v2"})


def test_versions_of_the_own_model_and_keys_of_an_earlier_release_are_taken_back(monkeypatch):
    producer = RecordingProducer()
    take_back(monkeypatch, producer, Tenure(Claim("mooc.deltas", "pairs", 8, 0, 7)))
    assert producer.sent[-1] == ("pairs/v1/watermark", None), "the watermark comes last"
    assert set(producer.sent) == {("pairs/v1/watermark", None), ("pairs/v1/user/U", None), ("v9/user/a/b", None)}
    assert producer.headers == {(("epoch", b"8"),)}


def test_nothing_is_taken_back_without_a_claim(monkeypatch):
    producer = RecordingProducer()
    take_back(monkeypatch, producer, Tenure(None))
    assert producer.sent == []


def test_taking_back_that_failed_ends_the_claim(monkeypatch):
    producer, tenure = RecordingProducer(), Tenure(Claim("mooc.deltas", "pairs", 8, 0, 7))
    producer.broken = True
    try:
        take_back(monkeypatch, producer, tenure)
    except OSError:
        assert tenure.uncertain
    else:
        raise AssertionError("the fault is the caller's to know")


class IdleFollower(threading.Thread):
    """Runs until it is ended."""

    def __init__(self, base: VersionBase, after: object, tenure: Tenure, scratch: ScratchFolder):
        super().__init__(daemon=True)
        self.fold, self.tenure, self.ended = SimpleNamespace(base=base), tenure, threading.Event()
        self.publisher = SimpleNamespace(settled=False)

    def run(self) -> None:
        self.ended.wait()


def test_version_is_followed_while_this_updater_has_the_model_and_anew_when_it_has_it_again(monkeypatch, tmp_path):
    manifest = SimpleNamespace(data=SimpleNamespace(offsets={}), version="v1")
    registry = SimpleNamespace(load_some=lambda *_: (manifest, {}))
    base = SimpleNamespace(version="v1")
    monkeypatch.setattr(updater, "VersionFollower", IdleFollower)
    monkeypatch.setattr(updater.VersionBase, "from_version", lambda *_: base)
    follower = ModelFollower(registry, made.MOOC, made.MOOC.recommenders[0], ScratchFolder(tmp_path, 1 << 30))
    champion = SimpleNamespace(version="v1", previous=None)
    follower._watcher = SimpleNamespace(
        poll=lambda: None, champion=champion, refused=None, accept=lambda champion: None
    )
    follower.check()
    assert follower.now is None, "another updater publishes"
    follower.lease.tenure = Tenure(None)
    follower.check()
    first = follower.now
    assert first.tenure is follower.lease.tenure
    follower.check()
    assert follower.now is first
    follower.lease.tenure = None
    follower.check()
    assert follower.now is None
    assert not first.is_alive()
    follower.lease.tenure = Tenure(None)
    follower.check()
    assert follower.now is not first
    assert follower.now.tenure is follower.lease.tenure
    follower.end()
