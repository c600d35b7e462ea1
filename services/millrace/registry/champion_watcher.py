"""Watching a model's champion: the API, the updater and the stream each follow it from here."""

from millrace.errors import NotFoundError
from millrace.registry.champion import Champion
from millrace.registry.registry import Registry


class ChampionWatcher:
    """Asks for the champion of one model, and returns it when it is not the one that was accepted last.

    A champion that was not accepted is returned again by the next `poll`: loading it may work then.
    """

    def __init__(self, registry: Registry, workload: str, model: str):
        self._registry, self._workload, self._model = registry, workload, model
        self.champion: Champion | None = None
        """The one that was accepted last."""

    def poll(self) -> Champion | None:
        """The champion, where champion.json has changed since the accepted one; None where it hasn't, or there is none.

        Raises UnavailableError when the registry is out of reach, CorruptError when champion.json can't be read.
        """
        etag = self.champion.etag if self.champion else None
        try:
            return self._registry.champion_if_changed(self._workload, self._model, etag)
        except NotFoundError:
            return None

    def accept(self, champion: Champion) -> None:
        """Take this champion for known."""
        self.champion = champion
