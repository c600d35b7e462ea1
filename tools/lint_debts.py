"""Refuse an exemption of pyproject.toml from ruff's rules that is needed no more, and a longer list of them.

An entry with a wildcard is a rule for a folder. One that names a file is a debt: what it exempts is to be mended.
"""

import json
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_DEBTS = 0  # (file, rule) pairs; no debt is left, and none may be made


def exemptions() -> list[tuple[str, str]]:
    """(pattern of files, prefix of rules), as pyproject.toml lists them."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    return [(pattern, rule) for pattern, rules in listed.items() for rule in rules]


def violations() -> set[tuple[str, str]]:
    """(file, rule) of what ruff finds without any exemption."""
    command = [sys.executable, "-m", "ruff", "check", "--exit-zero", "--output-format", "json"]
    command += ["--config", "lint.per-file-ignores = {}", "."]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {(Path(item["filename"]).relative_to(ROOT).as_posix(), item["code"]) for item in json.loads(result)}


def faults() -> list[str]:
    """A sentence for each thing to change."""
    listed, result = exemptions(), violations()
    sentences = [
        f"pyproject.toml: {pattern} is exempt from {rule}, and needs it no more; take the rule off the list"
        for pattern, rule in listed
        if not any(fnmatch(file, pattern) and code.startswith(rule) for file, code in result)
    ]
    debts = sum("*" not in pattern for pattern, _ in listed)
    if debts > MAX_DEBTS:
        sentences.append(f"pyproject.toml: {debts} exemptions of files from rules; allowed: {MAX_DEBTS}. Mend the file")
    if debts < MAX_DEBTS:
        sentences.append(f"tools/lint_debts.py: MAX_DEBTS is {MAX_DEBTS}; allowed now: {debts}")
    return sentences


if __name__ == "__main__":
    for sentence in (sentences := faults()):
        print(sentence, file=sys.stderr)
    sys.exit(bool(sentences))
