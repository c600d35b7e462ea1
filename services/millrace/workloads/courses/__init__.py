"""`courses`: online courses, clustered by popularity, difficulty, trend and price."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from millrace.records.contract import Record
from millrace.records.numbers import reject
from millrace.records.types import Count, Flag, Hours, Id, Money, RequiredText, Text, Timestamp
from millrace.workloads.base import ClusterModel, Endpoint, Fault, Feature, Row, Workload
from millrace.workloads.courses.generator import generate
from millrace.workloads.naming import make_scale

LEVELS = {
    word: level
    for level in ("All Levels", "Beginner Level", "Intermediate Level", "Expert Level")
    for word in (level.lower(), level.split()[0].lower())
}


def parse_level(value: object) -> str:
    """A course's level as the source spells it; `beginner` is read as `Beginner Level`."""
    spelled = LEVELS.get(value.strip().lower()) if isinstance(value, str) else None
    if spelled is None:
        raise reject("unknown_level", value, ", ".join(dict.fromkeys(LEVELS.values())))
    return spelled


Level = Annotated[
    str,
    BeforeValidator(parse_level),
    WithJsonSchema({"type": "string", "examples": list(dict.fromkeys(LEVELS.values()))}),
]


class Course(Record):
    """One published course; `content_duration` in hours, `price` in the shop's currency."""

    course_id: Id
    course_title: RequiredText
    url: Text
    is_paid: Flag
    price: Money
    num_subscribers: Count
    num_reviews: Count
    num_lectures: Count
    level: Level
    content_duration: Hours
    published_timestamp: Timestamp
    subject: RequiredText


# A title that swallowed the rest of its own row, a line break and the start of the next row:
#   Study in B minor",https://...,true,115,1403,5,9,Intermediate Level,43 mins,2014-01-27T20:58:16Z\n398746,Piano"
SWALLOWED = re.compile(
    r'^(?P<title>.*?)"?,(?P<url>https?://[^,\s]*),(?P<is_paid>\w+),(?P<price>[^,]*),(?P<num_subscribers>[^,]*),'
    r"(?P<num_reviews>[^,]*),(?P<num_lectures>[^,]*),(?P<level>[^,]*),(?P<content_duration>[^,]*),"
    r"(?P<published_timestamp>[^,\s]*)\s*\n(?P<next_id>[^,\n]+),(?P<next_title>.*)$",
    re.DOTALL,
)


def fault(row: Row) -> Fault | None:
    """A title with a line break holds another record: the row would give one course the figures of the other."""
    title = row.get("course_title")
    if not isinstance(title, str) or "\n" not in title or "\n" not in title.strip():
        return None
    inside = SWALLOWED.match(title)
    other = f"the record of course {inside['next_id']}" if inside else "other text"
    return (
        "swallowed_record",
        "course_title",
        f"course_title: holds a line break and {other}; allowed: one line. "
        "`millrace rejected replay courses` publishes both records",
    )


def repair(row: Row) -> list[Row]:
    """The two courses of a row whose title swallowed a record; the first takes the subject of the second."""
    inside = SWALLOWED.match(str(row.get("course_title", "")))
    if not inside:
        return [row]
    parts = inside.groupdict()
    first = {name: value for name, value in parts.items() if name in Course.model_fields}
    first |= {"course_id": row["course_id"], "course_title": parts["title"].strip()}
    first["subject"] = row["subject"]
    second = {**row, "course_id": parts["next_id"], "course_title": parts["next_title"].rstrip('"')}
    return [first, second]


# Subscribers, reviews, lectures and duration span four decades (median 912, largest 268,923): on raw values k-means
# only splits off the few largest courses. log1p makes the steps multiplicative and keeps zero at zero.
SUBSCRIBERS = Feature("num_subscribers", "log1p")
REVIEWS = Feature("num_reviews", "log1p")
LECTURES = Feature("num_lectures", "log1p")
DURATION = Feature("content_duration", "log1p")
K = tuple(range(2, 9))

WORKLOAD = Workload(
    name="courses",
    description="online courses, clustered",
    record=Course,
    identity=("course_id",),
    generate=generate,
    fault=fault,
    repair=repair,
    files=("udemy_courses.csv",),
    watched=("price", "num_subscribers", "num_reviews", "num_lectures", "content_duration"),
    models=(
        ClusterModel(
            "popularity",
            (SUBSCRIBERS, REVIEWS, LECTURES, DURATION),
            K,
            {"num_subscribers": 1, "num_reviews": 1},
            make_scale("popularity"),
        ),
        ClusterModel(
            "difficulty",
            # Callers of the prototype send no level; "All Levels" is the commonest and the neutral one.
            (Feature("level", "level", default="All Levels"), LECTURES, DURATION),
            K,
            {"level": 1, "num_lectures": 0.5, "content_duration": 0.5},
            make_scale("difficulty"),
        ),
        ClusterModel(
            "trend",
            (Feature("published_timestamp", "days"), SUBSCRIBERS, REVIEWS),
            K,
            {"published_timestamp": 1, "num_subscribers": 1, "num_reviews": 1},
            make_scale("momentum"),
        ),
        ClusterModel(
            "price",
            (Feature("price"), SUBSCRIBERS, REVIEWS, DURATION),
            K,
            {"price": 1},
            make_scale("price"),
        ),
    ),
    endpoints=(
        Endpoint("/course_popularity", "popularity"),
        Endpoint("/course_difficulty", "difficulty", optional=("num_subscribers", "num_reviews")),
        Endpoint("/course_price_analysis", "price"),
    ),
)
