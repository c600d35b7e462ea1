"""What strangers may fill is bounded in bytes, and every cache that takes a stranger's text is of that kind."""

import ast
import re
from pathlib import Path
from sys import getsizeof

import pytest

from millrace.pages import hosts, tokens
from millrace.runtime.text_cache import ENTRY_BYTES, TextCache

SERVICES = Path(__file__).parents[2] / "services"
UNLIMITED_BY_DESIGN = {"load_suffixes", "_make_landed_offsets"}
"""Cached functions whose arguments no stranger chooses."""


def test_value_is_computed_once():
    asked: list[str] = []
    cache = TextCache(lambda text: asked.append(text) or len(text), 10_000)
    assert [cache["abc"], cache["abc"], cache.__getitem__("ab")] == [3, 3, 2]
    assert asked == ["abc", "ab"]


def test_error_is_raised_and_not_remembered():
    cache = TextCache(int, 10_000)
    with pytest.raises(ValueError, match="invalid literal"):
        cache["x"]
    assert not cache


@pytest.mark.parametrize("length", [1, 100, 5_000])
def test_budget_in_bytes_holds_for_short_and_long_texts(length):
    budget = 100_000
    cache = TextCache(str.upper, budget)
    for number in range(2_000):
        cache[f"{number:04d}" + "x" * length]
        assert cache.bytes_held <= budget
        held = sum(getsizeof(key) + getsizeof(value) + ENTRY_BYTES for key, value in cache.items())
        assert held == cache.bytes_held
    assert cache


def test_hostile_hosts_stay_within_budget(monkeypatch):
    monkeypatch.setattr(hosts, "_hosts", TextCache(hosts._parse_name, 20_000))
    for number in range(60):
        assert hosts.parse_host(f"{number}{'x' * 7900}@a.org") == "a.org"  # a user is no part of the key
    assert len(hosts._hosts) == 1
    for number in range(60):
        hosts.parse_host(f"{number}.{'中.' * 100}org")
        assert hosts.parse_host(f"{number}{'中' * 7900}") == ""  # longer than any host: nobody looks at it
    assert hosts._hosts.bytes_held <= 20_000
    assert max(map(len, hosts._hosts)) <= hosts.MAX_NAME_LENGTH


def test_all_caches_of_pages_together_are_small():
    budgets = hosts.HOST_CACHE_BYTES, hosts.DOMAIN_CACHE_BYTES, tokens.HOST_CACHE_BYTES, tokens.TOKEN_CACHE_BYTES
    assert sum(budgets) <= 64_000_000


def test_no_function_of_an_argument_is_cached_by_number_of_entries():
    cached = set()
    for text in (file.read_text() for file in SERVICES.rglob("*.py")):
        if "lru_cache" in text or "import cache" in text:
            functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
            cached |= {node.name for node in functions if node.args.args and is_cached(node)}
    assert cached == UNLIMITED_BY_DESIGN, "a cache that strangers' text can fill is a TextCache, with a budget in bytes"


def is_cached(function: ast.FunctionDef) -> bool:
    return any(re.match(r"(functools\.)?(lru_)?cache\b", ast.unparse(one)) for one in function.decorator_list)
