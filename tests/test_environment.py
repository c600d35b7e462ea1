"""Settings are read in one place: no module asks the environment for a MILLRACE_ variable itself.

What reads one directly knows nothing of `.env`, of the addresses of the running stack, or of the checks of a value.
Handing variables to a child process is no reading. The tests' own files are not looked at: they set variables, and put
back what was there before.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

FILES = sorted(file for folder in ("services", "spark-apps", "tools") for file in (ROOT / folder).rglob("*.py"))
READS = {"get", "pop", "setdefault", "__getitem__", "__contains__"}
WHOLE = {"items", "keys", "values"}


def constants(tree: ast.Module) -> dict[str, str]:
    """The strings that have a name in the module."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def direct_reads(source: str) -> Iterator[str]:
    """`LINE: NAME` of every read of the environment whose name is a MILLRACE_ variable or can't be told."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    known = constants(tree)

    def name_of(node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        return known.get(node.id, "?") if isinstance(node, ast.Name) else "?"

    def name_read(node: ast.AST) -> str | None:
        """The name that is looked up in this environment; None where nothing is."""
        parent = parents[node]
        while isinstance(parent, ast.BinOp):
            node, parent = parent, parents[parent]
        if isinstance(parent, ast.Attribute) and parent.attr in WHOLE:
            return "?"
        if isinstance(parent, ast.Attribute) and parent.attr in READS:
            call = parents[parent]
            return name_of(call.args[0]) if isinstance(call, ast.Call) and call.args else "?"
        if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load):
            return name_of(parent.slice)
        if isinstance(parent, ast.Compare):
            return name_of(parent.left)
        return None

    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Attribute) and node.attr == "environ":
            name = name_read(node)
        elif isinstance(node, ast.Attribute) and node.attr in ("getenv", "getenvb", "environb"):
            call = parents[node]
            name = name_of(call.args[0]) if isinstance(call, ast.Call) and call.args else "?"
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            name = "?" if {alias.name for alias in node.names} & {"environ", "getenv"} else None
        if name is not None and (name == "?" or name.startswith("MILLRACE_")):
            yield f"{node.lineno}: {name}"


def test_no_module_reads_settings_directly_from_environment():
    result = {str(file.relative_to(ROOT)): list(direct_reads(file.read_text())) for file in FILES}
    assert {file: reads for file, reads in result.items() if reads} == {}


@pytest.mark.parametrize(
    "source",
    [
        'os.environ.get("MILLRACE_HOME", "")',
        'os.environ["MILLRACE_HOME"]',
        'os.getenv("MILLRACE_HOME")',
        '"MILLRACE_HOME" in os.environ',
        'os.environ.setdefault("MILLRACE_HOME", "x")',
        'HOME = "MILLRACE_HOME"\nos.environ.get(HOME)',
        "os.environ.get(variable)",
        "(defaults | os.environ).get(variable)",
        "from os import environ",
        "{name: text for name, text in os.environ.items()}",
    ],
)
def test_direct_read_is_detected_however_it_is_written(source):
    assert list(direct_reads(source))


@pytest.mark.parametrize(
    "source",
    [
        'os.environ["MILLRACE_API_ARRAYS"] = folder',
        'subprocess.run(command, env={**os.environ, "MILLRACE_HOME": home})',
        'subprocess.run(command, env=os.environ | {"MILLRACE_HOME": home})',
        'os.environ.get("JAVA_HOME")',
        '"SPARK_HOME" in os.environ',
    ],
)
def test_setting_variables_and_reading_foreign_ones_is_allowed(source):
    assert list(direct_reads(source)) == []
