"""`mooc`: enrolments; the next courses for a student."""

from typing import Annotated

from pydantic import AliasChoices, Field

from millrace.records.contract import Record
from millrace.records.types import Blank, Id, Timestamp
from millrace.workloads.base import Fault, RecommenderModel, Row, Workload
from millrace.workloads.mooc.generator import generate

USER = ("user_id", "user", "id")
COURSES = ("course_order", "courses", "items")
TIMES = ("enroll_time", "times")


class Enrolment(Record):
    """A student takes up a course; where the time is unknown, the order of arrival is the order."""

    user_id: Id
    course_id: Id
    enrolled_at: Annotated[Timestamp | None, Blank] = Field(
        default=None, validation_alias=AliasChoices("enrolled_at", "enroll_time", "time")
    )


def first_value(row: Row, names: tuple[str, ...]) -> object:
    """The first of several fields that a row has."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def fault(row: Row) -> Fault | None:
    """A line with a student's courses, of which it is not certain what belongs to what."""
    courses, times = first_value(row, COURSES), first_value(row, TIMES)
    if courses is None or "course_id" in row:
        return None
    if not isinstance(courses, list) or not courses:
        return "no_courses", "course_order", "course_order: holds no course; allowed: a list of course ids"
    if times is not None and (not isinstance(times, list) or len(times) != len(courses)):
        count = len(times) if isinstance(times, list) else 0
        sentence = f"enroll_time: {count} times for {len(courses)} courses; allowed: one for each, or no enroll_time"
        return "times_differ", "enroll_time", sentence
    return None


def expand(row: Row) -> list[Row] | None:
    """The enrolments of a line that lists a student's courses, oldest first; None for a single enrolment."""
    courses = first_value(row, COURSES)
    if not isinstance(courses, list) or "course_id" in row:
        return None
    times, user = first_value(row, TIMES), first_value(row, USER)
    if not isinstance(times, list):
        times = [None] * len(courses)
    return [
        {"user_id": user, "course_id": course, "enrolled_at": time} for course, time in zip(courses, times, strict=True)
    ]


WORKLOAD = Workload(
    name="mooc",
    description="enrolments, with the next courses for a student",
    record=Enrolment,
    # The key is the student: an enrolment without a time keeps its place behind the earlier ones of its partition.
    identity=("user_id", "course_id", "enrolled_at"),
    events=True,
    generate=generate,
    fault=fault,
    expand=expand,
    reads=(*USER, *COURSES, *TIMES),
    files=("mooc_users.jsonl.gz", "mooc_users.jsonl", "mooc.csv"),
    models=(
        RecommenderModel(
            "recommendations",
            user="user_id",
            item="course_id",
            time="enrolled_at",
            names=("catalogue", "id", "name"),
        ),
    ),
)
