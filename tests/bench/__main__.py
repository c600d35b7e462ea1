"""`python -m tests.bench [--out FILE] [--only PART ...]`: measure, print the table, write the JSON."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from millrace.runtime.logs import start_logging
from tests.bench import answers, house, lake, machine, online, pages, recommenders, records, stream, table

# Ingesting comes last: what it has published keeps the sink busy for a while.
PARTS = {
    "answers": answers.measure,
    "lake": lake.measure,
    "stream": stream.measure,
    "online": online.measure,
    "records": records.measure,
}
IN_PROCESS = {"recommenders": recommenders.measure, "pages": pages.measure}
ALL = [*PARTS, *IN_PROCESS]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("`: ")[2])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL, help="some of the parts")
    options = parser.parse_args()
    start_logging()
    result = machine.described()
    lines: list[table.Line] = []
    for name, measure in IN_PROCESS.items():
        if name in options.only:
            house.log.info("measuring %s", name)
            lines += measure()  # before the stack takes its share of the machine
    if not set(options.only) & set(PARTS):
        return finish(options.out, result, lines)
    with house.house() as home:
        house.champions()
        for name, measure in PARTS.items():
            if name in options.only:
                house.log.info("measuring %s", name)
                lines += measure(home, dict(os.environ))
    finish(options.out, result, lines)


def finish(out: Path | None, values: dict[str, Any], lines: list[table.Line]) -> None:
    values["load_after"] = [round(value, 2) for value in os.getloadavg()]
    table.show(lines, machine.line(values))
    if out:
        result = {"machine": values, "lines": [line.as_dict() for line in lines]}
        out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
