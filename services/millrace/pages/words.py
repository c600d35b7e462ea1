"""The words of a page: what its clusters are told apart by, and what people read of them."""

import re
from urllib.parse import unquote

from millrace.pages.hosts import split_url

WORD = re.compile(r"\b[^\W\d_]{2,24}[0-9]{0,2}\b")
"""Letters of any script with up to two digits behind them; numbers and ids are no words."""
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
"""Runs of kana and han, which are written without spaces: every two neighbours are taken as a word."""
MAX_WORDS = 40  # words of a page; a page that has more has said what it is about
MAX_TEXT = 2000  # characters of each text that are looked at
# English words that say nothing of a subject, and what every URL is made of.
COMMONEST = """
a about after all also an and any are as at be because been before being best but by can could did do does don
down each even every few first for from get had has have having he her here his how if in into is it its just
know last ll made make many may me more most much my need new no not now of off on one only or other our out over
own re s same says see she should so some still such than that the their them then there these they this those
through to too top two under up us use used using ve very via was way we were what when where which while who why
will with without won would year years yes you your
www com org net html htm php asp aspx jsp index amp http https utm home page pages default en us id
"""
STOP_WORDS = frozenset(COMMONEST.split())


def page_words(title: str | None, keywords: str | None, url: str | None) -> list[str]:
    """The distinct words of title, keywords and path, lower-case, in the order in which they come, at most MOST."""
    return path_words(title, keywords, split_url(url or "").path)


def path_words(title: str | None, keywords: str | None, path: str) -> list[str]:
    """The same of a path that was cut off already."""
    if "%" in path:
        path = unquote(path)
    text = f"{(title or '')[:MAX_TEXT]} {(keywords or '')[:MAX_TEXT]} {path[:MAX_TEXT]}".replace("_", " ").lower()
    if not text.isascii():
        text = UNSPACED.sub(_split_pairs, text)
    return [word for word in dict.fromkeys(WORD.findall(text)) if word not in STOP_WORDS][:MAX_WORDS]


def _split_pairs(match: re.Match[str]) -> str:
    run = match[0]
    return " " + " ".join(run[start : start + 2] for start in range(len(run) - 1)) + " "
