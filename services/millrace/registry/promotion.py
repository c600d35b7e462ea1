"""Moving champion.json so that of several promotions at once exactly one wins, on every S3.

`If-Match` alone is not enough: S3Proxy's filesystem backend compares the ETag first and writes afterwards, so two
writers can both be told that they won (seen in 14 of 100 races of two). `If-None-Match: *` held in every race on every
server. So the move away from a champion is first claimed by creating an object named after that champion's ETag:

    moves/<workload>/<model>/<hash of the ETag>.json     the champion.json that the winner is about to write

Only its creator goes on to write champion.json, still under `If-Match`. Pinning and unpinning move it in the same way,
so no promotion can pass over a pin. No two champion.json have the same content, `updated_at` differs, and with it the
ETag: a claim never stands in the way of a later move.
"""

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from millrace.errors import ConflictError, CorruptError, NotFoundError
from millrace.registry import champion as champions
from millrace.registry.champion import Champion, Pin
from millrace.registry.store import ObjectStore
from millrace.rights import MODELS, MOVES

RETIRED = "retired.json"
"""The manifest of a version that `registry.retention` has taken away, until its arrays are deleted."""
CLAIM_TIMEOUT = timedelta(seconds=60)
"""After this a claim whose champion never came is finished by whoever meets it: its owner has died."""


def champion_key(workload: str, model: str) -> str:
    """The key of a model's champion.json."""
    return f"{MODELS}{workload}/{model}/champion.json"


def claim_key(workload: str, model: str, etag: str) -> str:
    """The key that one of several promotions from the same champion gets to write."""
    return f"{MOVES}{workload}/{model}/{hashlib.sha256(etag.encode()).hexdigest()[:32]}.json"


def move_champion(
    store: ObjectStore,
    workload: str,
    model: str,
    version: str,
    history: list[str],
    before: Champion | None,
    pin: Pin | None = None,
) -> Champion:
    """Replace `before` (None: there was no champion); the same version keeps the time of its promotion.

    Raises ConflictError when somebody else does; nothing is changed.
    """
    key = champion_key(workload, model)
    now = datetime.now(UTC).isoformat()
    promoted_at = before.promoted_at if before and before.version == version else now
    content = champions.format_champion(version, promoted_at, history, pin, now)
    try:
        if before is None:
            etag = store.put_if_absent(key, content)
        else:
            claim = claim_key(workload, model, before.etag)
            try:
                store.put_if_absent(claim, content)
            except ConflictError:
                _finish(store, key, claim, before)
                raise
            etag = store.put_if_match(key, content, before.etag)
    except (ConflictError, NotFoundError):
        raise lost_race(workload, model, version) from None
    revive_version(store, workload, model, version)
    return Champion(version, promoted_at, history, etag, pin, now)


def revive_version(store: ObjectStore, workload: str, model: str, version: str) -> bool:
    """Put the manifest of a version back that was retired while it was promoted. False where it was not retired."""
    prefix = f"{MODELS}{workload}/{model}/{version}"
    try:
        content, _ = store.get(f"{prefix}/{RETIRED}")
    except NotFoundError:
        return False
    with suppress(ConflictError):  # it is there
        store.put_if_absent(f"{prefix}/manifest.json", content)
    return True


def make_pin(command: str) -> Pin:
    """A pin of now, set by `rollback` or `pin`."""
    return Pin(datetime.now(UTC).isoformat(timespec="seconds"), command)


def lost_race(workload: str, model: str, version: str) -> ConflictError:
    """The error for a change of the champion, or of its pin, that came too late."""
    return ConflictError(
        f"{workload}/{model} got another champion or pin while {version} was to be served; nothing was changed. "
        "Look at `millrace models list` and decide again.",
        code="lost_race",
    )


def _finish(store: ObjectStore, key: str, claim: str, before: Champion) -> None:
    """Write the champion of a claim that was abandoned, so that it can't stand in the way for ever."""
    content, etag = store.get(claim)
    try:
        claimed_at = datetime.fromisoformat(champions.parse_champion(content, etag, claim).updated_at)
        abandoned = datetime.now(UTC) - claimed_at > CLAIM_TIMEOUT
    except (CorruptError, ValueError, TypeError):
        return
    if abandoned:
        store.put_if_match(key, content, before.etag)
