"""Write the chart's values.schema.json from the models in tools/chart_values: `tools/chart_schema.py [--check]`.

`--check` writes nothing and fails when the file is not what would be written.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chart_values.root import schema

FILE = Path(__file__).parents[1] / "charts/millrace/values.schema.json"


def content() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    if "--check" not in sys.argv[1:]:
        FILE.write_text(content())
    elif not FILE.is_file() or FILE.read_text() != content():
        sys.exit(f"{FILE.name} is not what tools/chart_values says: run tools/chart_schema.py and commit the file.")


if __name__ == "__main__":
    main()
