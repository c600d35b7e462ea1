"""Generated courses: the distributions and the dirt of a real export, from nothing but a seed."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from millrace.workloads.base import Row

SUBJECTS = {
    "Web Development": ["JavaScript", "PHP", "React", "WordPress", "Node.js", "CSS"],
    "Business Finance": ["Bookkeeping", "Options Trading", "Excel", "Valuation", "Forex"],
    "Musical Instruments": ["Guitar", "Piano", "Harmonica", "Violin", "Acordeón"],
    "Graphic Design": ["Photoshop", "Illustrator", "Typography", "Logo Design"],
}
FORMS = ["Learn {}", "{} for Beginners", "The Complete {} Course", "{}: Zero to Hero", "Practical {} & More"]
LEVELS = ["All Levels", "Beginner Level", "Intermediate Level", "Expert Level"]
FIRST = datetime(2011, 7, 1, tzinfo=UTC)


def make_course(random: Random, number: int) -> Row:
    """One clean row, as text."""
    subject = random.choice(list(SUBJECTS))
    title = random.choice(FORMS).format(random.choice(SUBJECTS[subject]))
    # Audience: two groups a decade apart, each log-normal, as in published catalogues.
    subscribers = int(math.exp(random.gauss(*(random.choice([(6.0, 1.2), (8.2, 1.1)])))))
    lectures = max(1, int(math.exp(random.gauss(3.2, 0.8))))
    price = 0 if random.random() < 0.08 else random.choice([20, 20, 20, 30, 50, 50, 95, 100, 150, 200, 200])
    published = FIRST + timedelta(seconds=random.randrange(6 * 365 * 86_400))
    return {
        "course_id": str(10_000 + number * 37 + random.randrange(37)),
        "course_title": f"{title} {number}",
        "url": f"https://courses.example/{number}/",
        "is_paid": str(price > 0),
        "price": str(price),
        "num_subscribers": str(subscribers),
        "num_reviews": str(int(subscribers * random.betavariate(1.2, 20))),
        "num_lectures": str(lectures),
        "level": random.choices(LEVELS, [52, 34, 12, 2])[0],
        "content_duration": f"{max(0.5, round(lectures / 9 * random.uniform(0.5, 2) * 2) / 2)}",
        "published_timestamp": published.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "subject": subject,
    }


def generate(random: Random, rows: int) -> Iterator[Row]:
    """`rows` rows: of a thousand about 2 exact duplicates, 2 swallowed records, 3 broken values, and padding."""
    previous = None
    for number in range(rows):
        row = make_course(random, number)
        dice = random.random()
        if dice < 0.002 and previous:
            row = dict(previous)
        elif dice < 0.004:
            row = make_swallowed(make_course(random, rows + number), row)
        elif dice < 0.007:
            field, broken = random.choice(
                [("num_subscribers", "many"), ("price", "-5"), ("published_timestamp", "soon"), ("level", "")]
            )
            row[field] = broken
        elif dice < 0.05:
            row["content_duration"] = random.choice(["4.5 hours", "43 mins", "1 hour"])
            row["is_paid"] = row["is_paid"].lower()
        elif dice < 0.1:
            row["course_title"] = f" {row['course_title']}  "
        previous = row
        yield row


def make_swallowed(first: Row, second: Row) -> Row:
    """The row that remains when a quote in the first title hides the end of its line."""
    rest = [first[name] for name in list(first)[2:-1]]
    title = f'{first["course_title"]}",{",".join(rest)}\n{second["course_id"]},{second["course_title"]}"'
    return {**second, "course_id": first["course_id"], "course_title": title}
