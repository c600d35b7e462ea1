"""How often each item was taken, in all and by day, for the order in which popularity answers."""

import numpy as np

DAY_S = 86_400


class ItemCounts:
    """`whole`: (items,) int64 counts; `days`: day since 1970 -> (items,) counts, of the last `window` days alone.

    An event without a time is as new as the newest that has one. Where none has, popularity is that of all time, as in
    a training of the lake: the day of its arrival would end the window of a log that is years old.
    """

    def __init__(self, window: float):
        self.window = max(1, round(window))
        self.whole = np.zeros(0, dtype=np.int64)
        self.days: dict[int, np.ndarray] = {}

    def grow(self, items: int) -> None:
        def longer(counts: np.ndarray) -> np.ndarray:
            return np.pad(counts, (0, items - len(counts)))

        self.whole, self.days = longer(self.whole), {day: longer(counts) for day, counts in self.days.items()}

    def add(self, items: list[int], times: list[float | None]) -> None:
        np.add.at(self.whole, items, 1)
        for item, time in zip(items, times, strict=True):
            if time is None and not self.days:
                continue
            day = max(self.days) if time is None else int(time // DAY_S)
            if day not in self.days:
                self.days[day] = np.zeros_like(self.whole)
            self.days[day][item] += 1
        for day in [day for day in self.days if day <= max(self.days) - self.window]:
            del self.days[day]

    @property
    def order(self) -> np.ndarray:
        """(known,) int32: every item that was ever taken, the most popular of the window first, then of all time."""
        lately = sum(self.days.values(), np.zeros_like(self.whole))
        return np.lexsort((-self.whole, -lately))[: int(np.count_nonzero(self.whole))].astype(np.int32)

    def arrays(self) -> dict[str, np.ndarray]:
        days = sorted(self.days)
        table = np.array([self.days[day] for day in days]).reshape(len(days), len(self.whole))
        return {"taken": self.whole, "days": np.array(days, dtype=np.int64), "taken_by_day": table}

    @classmethod
    def load(cls, window: float, arrays: dict[str, np.ndarray], newest_s: float | None = None) -> "ItemCounts":
        """From `arrays`, without the days after `newest_s`, seconds since 1970.

        A checkpoint of an earlier release may have counted times that can't be true.
        """
        made = cls(window)
        made.whole = arrays["taken"].astype(np.int64)
        table = arrays["taken_by_day"].astype(np.int64)
        days = zip(arrays["days"].tolist(), table, strict=True)
        made.days = {day: counts for day, counts in days if newest_s is None or day * DAY_S <= newest_s}
        return made
