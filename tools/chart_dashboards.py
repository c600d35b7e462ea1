"""Write charts/millrace/files/dashboards from tools/chart_panels; `--check` only says whether they are current."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from chart_panels import api, live, pipeline

FOLDER = Path(__file__).parents[1] / "charts/millrace/files/dashboards"
WIDTH, HEIGHT = 12, 8  # of a panel; a row of Grafana is 24 wide

DASHBOARDS = {
    "api": ("Millrace: API", api),
    "live": ("Millrace: live", live),
    "pipeline": ("Millrace: pipeline", pipeline),
}


def panel(number: int, title: str, unit: str, queries: list[tuple[str, str]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "$datasource"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + position), "datasource": source, "expr": query, "legendFormat": legend}
            for position, (query, legend) in enumerate(queries)
        ],
    }


def dashboard(name: str) -> str:
    title, part = DASHBOARDS[name]
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {
            "name": "namespace",
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "$datasource"},
            "query": f"label_values({part.KNOWN_BY}, namespace)",
            "refresh": 2,
        },
    ]
    return (
        json.dumps(
            {
                "uid": f"millrace-{name}",
                "title": title,
                "tags": ["millrace"],
                "schemaVersion": 39,
                "refresh": "30s",
                "time": {"from": "now-3h", "to": "now"},
                "templating": {"list": variables},
                "panels": [panel(number, *one) for number, one in enumerate(part.PANELS)],
            },
            indent=1,
        )
        + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name in DASHBOARDS:
        file = FOLDER / f"{name}.json"
        if not file.exists() or file.read_text() != dashboard(name):
            stale.append(file.name)
            if not check:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(dashboard(name))
    if check and stale:
        print(f"not current: {', '.join(stale)}; run python tools/chart_dashboards.py", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
