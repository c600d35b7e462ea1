"""Which of several updaters publishes for a model: the one whose claim stands in the deltas topic and that is alive.

The others wait until it has been silent for a while. That keeps two from taking turns, and no more: it is the epoch of
a claim that keeps the state right, whoever claims when (see millrace.messaging.fence). So nothing but Kafka is needed.
"""

import logging
import threading
from collections.abc import Callable

from millrace.errors import MillraceError
from millrace.messaging.fence import Claim, FencedError
from millrace.messaging.fenced_writer import FencedWriter
from millrace.runtime.retry import RepeatFilter

log = logging.getLogger("millrace.online")
LOOK_INTERVAL_S = 1.0  # seconds between two looks at the log, and between two signs of life
SILENT_LOOKS = 5  # looks in a row, each answered by the brokers, after which a writer is taken to be gone


class Tenure:
    """A time in which this process has the scope. `claim` is what to publish under; None while that is not to be.

    What was published before it is not this process's, also where it has had the scope before.
    """

    def __init__(self, claim: Claim | None):
        self.claim = claim
        self.uncertain = False

    def report_failed_send(self) -> None:
        """What was sent may still arrive, behind what is sent next: nothing more is sent under this claim."""
        self.uncertain = True
        self.claim = None


class LogLease(threading.Thread):
    """`tenure` is None while another updater publishes. `overwritten` is called with keys to be published again."""

    def __init__(self, writer: FencedWriter, name: str, overwritten: Callable[[set[bytes]], None]):
        super().__init__(name=f"lease {name}", daemon=True)
        self.tenure: Tenure | None = None
        self.ended = threading.Event()
        self._writer, self._what, self._on_overwritten = writer, name, overwritten
        self._silent_looks = 0
        self._standby = RepeatFilter()

    def run(self) -> None:
        faults = RepeatFilter()
        while not self.ended.is_set():
            try:
                self.step()
                faults.reset()
            except FencedError as error:
                log.warning("%s: %s", self._what, error.message)
            except MillraceError as error:
                self._silent_looks = 0  # a silence of the brokers is none of the other updater's
                if faults.passes(error.message):
                    log.error("%s: %s", self._what, error.message)
            except Exception:
                self._silent_looks = 0
                log.exception("%s: looking at the log failed; it is tried again", self._what)
            self.ended.wait(LOOK_INTERVAL_S)
        self._release()

    def step(self) -> None:
        """Look at the log once. Raises FencedError when another updater has taken over, UnavailableError."""
        writer, tenure = self._writer, self.tenure
        try:
            if tenure is None:
                writer.catch_up()
                self._stand_by()
            elif tenure.uncertain:
                self._renew(tenure)
            else:
                writer.catch_up()
                self._hand_on()
                if not writer.heard:
                    writer.send_heartbeat()
        except FencedError:
            self._end_tenure()
            raise
        finally:
            writer.heard = False

    def _renew(self, tenure: Tenure) -> None:
        tenure.uncertain = False
        try:
            claim = self._writer.renew()
        except MillraceError:
            tenure.uncertain = True
            raise
        # Whoever publishes under the new claim must know by then what was overwritten before it.
        self._hand_on()
        tenure.claim = claim

    def _end_tenure(self) -> None:
        tenure, self.tenure = self.tenure, None
        if tenure is not None:
            tenure.claim = None

    def _hand_on(self) -> None:
        if overwritten := self._writer.take_overwritten():
            self._on_overwritten(overwritten)

    def _stand_by(self) -> None:
        """Take over once nobody has the scope, or who has it was silent long enough."""
        writer = self._writer
        self._silent_looks = 0 if writer.heard else self._silent_looks + 1
        if writer.holder is not None and self._silent_looks < SILENT_LOOKS:
            if self._standby.passes(writer.holder):
                log.info(
                    "%s: another updater publishes (%s); this one stands by until that one was silent for %.0f s",
                    self._what,
                    writer.holder,
                    SILENT_LOOKS * LOOK_INTERVAL_S,
                )
            return
        self._silent_looks = 0
        claim = writer.take_over()
        self._standby.reset()
        self.tenure = Tenure(claim)
        log.info("%s: this updater publishes, with epoch %d", self._what, claim.epoch)

    def _release(self) -> None:
        """The next one need not wait for a silence."""
        tenure = self.tenure
        self._end_tenure()
        try:
            if tenure is not None and not tenure.uncertain:
                self._writer.send_heartbeat(active=False)
            self._writer.close()
        except MillraceError as error:
            log.warning("%s: the end of this updater could not be published: %s", self._what, error.message)
