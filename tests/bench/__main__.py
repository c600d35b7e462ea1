"""`python -m tests.bench [--out FILE] [--only answers|lake|records ...]`: measure, print the table, write the JSON."""

import argparse
import json
import os
from pathlib import Path

from tests.bench import answers, house, lake, machine, records, table

# Ingesting comes last: what it has published keeps the sink busy for a while.
PARTS = {"answers": answers.measure, "lake": lake.measure, "records": records.measure}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("`: ")[2])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some of the parts")
    given = parser.parse_args()
    found = machine.described()
    lines: list[table.Line] = []
    with house.house() as home:
        house.champions()
        for name, measure in PARTS.items():
            if name in given.only:
                house.say(f"measuring {name}")
                lines += measure(home, dict(os.environ))
    found["load_after"] = [round(value, 2) for value in os.getloadavg()]
    table.show(lines, machine.line(found))
    if given.out:
        result = {"machine": found, "lines": [line.as_dict() for line in lines]}
        given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
