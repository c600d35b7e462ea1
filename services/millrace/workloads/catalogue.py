"""`catalogue`: the list that names the courses of `mooc`; it has no model of its own."""

from collections.abc import Iterator
from random import Random
from typing import Annotated

from pydantic import BeforeValidator

from millrace.records.contract import Record
from millrace.records.types import Id, RequiredText, Text, parse_text
from millrace.workloads.base import Row, Workload
from millrace.workloads.mooc.generator import STEPS, SUBJECTS, course_id


def join_lines(value: object) -> str:
    """Text whose line breaks are spaces: descriptions run over several lines, names must not."""
    return " ".join(parse_text(value).split())


class CatalogueCourse(Record):
    """A course as the catalogue has it."""

    id: Id
    name: Annotated[RequiredText, BeforeValidator(join_lines)]
    about: Annotated[Text, BeforeValidator(join_lines)] = ""


def generate(random: Random, rows: int) -> Iterator[Row]:
    """The courses that generated enrolments speak of first; one name in a hundred is lacking, one row repeated."""
    previous: Row | None = None
    for number in range(rows):
        subject, step = number // STEPS % len(SUBJECTS), number % STEPS
        known = number < STEPS * len(SUBJECTS)
        row = {
            "id": course_id(subject, step) if known else f"C_{700_000 + number}",
            "name": f"{SUBJECTS[subject]} {step + 1}" if known else f"{SUBJECTS[subject]} seminar {number}",
            "about": random.choice(["", "An introduction.", "What comes next,\nwith exercises."]),
        }
        dice = random.random()
        if dice < 0.01:
            row["name"] = ""
        elif dice < 0.02 and previous:
            row = dict(previous)
        previous = row
        yield row


WORKLOAD = Workload(
    name="catalogue",
    description="the names of the courses of mooc",
    record=CatalogueCourse,
    identity=("id",),
    generate=generate,
    files=("mooc_courses.csv",),
    watched=("name",),
)
