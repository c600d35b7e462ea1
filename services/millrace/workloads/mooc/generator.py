"""Generated enrolments: students who follow a curriculum, skip, and change subject; and some dirt."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from millrace.workloads.base import Row

SUBJECTS = ("Data Mining", "Algebra", "Economics", "Photography", "Chemistry", "History", "Networks", "Writing")
STEPS = 25  # courses of a subject
TAKES = 8  # enrolments of a student, on average
FIRST, DAYS = datetime(2017, 9, 1, tzinfo=UTC), 900


def course_id(subject: int, step: int) -> str:
    """The id of a step of a subject."""
    return f"C_{600_000 + subject * 1000 + step}"


def generate(random: Random, rows: int) -> Iterator[Row]:
    """`rows` enrolments in order of time: of a thousand 2 repeated, 3 broken, 5 without a time."""
    students = max(1, rows // TAKES)
    places: dict[int, tuple[int, int]] = {}
    previous: Row | None = None
    for number in range(rows):
        # The square: a few students take many courses.
        student = int(students * random.random() ** 2)
        subject, step = places.get(student, (int(len(SUBJECTS) * random.random() ** 1.5), random.randrange(3)))
        if random.random() < 0.15:
            subject, step = random.randrange(len(SUBJECTS)), int(STEPS * random.random() ** 2)
        places[student] = subject, (step + random.choice((1, 1, 1, 2, 4))) % STEPS
        moment = FIRST + timedelta(seconds=DAYS * 86_400 * (number + random.random()) / max(rows, 1))
        row = {
            "user_id": f"U_{student}",
            "course_id": course_id(subject, step),
            "enrolled_at": moment.strftime("%Y-%m-%d %H:%M:%S"),
        }
        dice = random.random()
        if dice < 0.002 and previous:
            row = dict(previous)
        elif dice < 0.005:
            row |= random.choice([{"course_id": ""}, {"user_id": " "}, {"enrolled_at": "yesterday"}])
        elif dice < 0.01:
            row["enrolled_at"] = ""
        previous = row
        yield row
