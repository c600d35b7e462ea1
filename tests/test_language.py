"""Names are words of the field: functions are verbs, and a variable says what it holds."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VAGUE = {"found", "given", "one", "place", "said", "told"}
"""Names that say nothing of what they hold; a comprehension that fits in a line may use them."""
IRREGULAR = {
    *("asked", "begun", "bought", "broken", "brought", "built", "caught", "chosen", "done", "drawn", "fallen"),
    *("forgotten", "found", "given", "gone", "grown", "held", "hidden", "kept", "known", "learnt", "left", "lost"),
    *("made", "paid", "said", "seen", "sent", "shown", "sold", "spent", "spoken", "taken", "told", "won", "written"),
}
VERBS = {"embed", "exceed", "feed", "need", "proceed", "seed", "speed"}
EXTERNAL = {"given"}
"""Names of libraries: hypothesis.given."""
FILES = [
    file for folder in ("services", "spark-apps", "tools", "tests") for file in sorted(ROOT.glob(f"{folder}/**/*.py"))
]


class VagueNames(ast.NodeVisitor):
    """Collects `line: name` of every vague name that is bound, read or passed by keyword."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self._allowed: list[set[str]] = []

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        targets = [name for generator in node.generators for name in ast.walk(generator.target)]
        names = {name.id for name in targets if isinstance(name, ast.Name)}
        self._allowed.append(names if node.lineno == node.end_lineno else set())
        self.generic_visit(node)
        self._allowed.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def _check(self, name: str, line: int) -> None:
        if name in VAGUE and not any(name in names for names in self._allowed):
            self.sentences.append(f"line {line}: {name}")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id not in EXTERNAL:
            self._check(node.id, node.lineno)

    def visit_arg(self, node: ast.arg) -> None:
        self._check(node.arg, node.lineno)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        self._check(node.arg or "", node.value.lineno)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._check(node.name, node.lineno)
        self.generic_visit(node)


def bare_participles(tree: ast.Module) -> Iterator[str]:
    """Functions whose whole name is a past participle; a property is a noun or a question, and may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            properties = {"property", "cached_property"} & {ast.unparse(item) for item in node.decorator_list}
            if not properties and is_participle(node.name.strip("_")):
                yield f"line {node.lineno}: {node.name}"


def is_participle(name: str) -> bool:
    return name in IRREGULAR or (re.fullmatch("[a-z]+ed", name) is not None and name not in VERBS)


def test_no_name_is_vague():
    faults = {}
    for file in FILES:
        names = VagueNames()
        names.visit(ast.parse(file.read_text()))
        if names.sentences:
            faults[file.relative_to(ROOT).as_posix()] = names.sentences
    assert faults == {}


@pytest.mark.parametrize("folder", ["services", "spark-apps", "tools"])
def test_no_package_function_or_module_is_a_bare_participle(folder):
    files = [file for file in FILES if file.is_relative_to(ROOT / folder)]
    assert [file.name for file in files if is_participle(file.stem)] == []
    assert {file.name: list(bare_participles(ast.parse(file.read_text()))) for file in files} == {
        file.name: [] for file in files
    }


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("found = 1", ["line 1: found"]),
        ("def f(one): pass", ["line 1: one"]),
        ("f(said=1)", ["line 1: said"]),
        ("[one for one in x]", []),
        ("[\n    one\n    for one in x\n]", ["line 2: one", "line 3: one"]),
        ("def told(): pass", ["line 1: told"]),
    ],
)
def test_vague_name_is_detected(code, names):
    visitor = VagueNames()
    visitor.visit(ast.parse(code))
    assert visitor.sentences == names


@pytest.mark.parametrize(
    ("name", "expected"),
    [("kept", True), ("loaded", True), ("seed", False), ("load_rows", False), ("has_ended", False)],
)
def test_participle_is_detected(name, expected):
    assert is_participle(name) is expected
