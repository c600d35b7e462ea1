"""What a cluster is, for people: its words, hosts and pages, and a name made of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from millrace.pages.hosts import find_url_domain
from millrace.pages.space import Columns
from millrace.pages.words import page_words

WORDS, HOSTS, EXAMPLES = 10, 10, 5
LABEL_WORDS = 3  # words of a label
MIN_PAGES = 3  # pages that a word must stand on to be characteristic
Profile = dict[str, Any]
"""{"words": [[word, pages]], "hosts": [[host, pages]], "examples": [{"url", "title"}], "share", "telling": [word]}"""


def describe_clusters(columns: Columns, clusters: np.ndarray, distances: np.ndarray, k: int) -> list[Profile]:
    """The profile of each of k clusters, of pages given by column with their clusters and distances, both (n,).

    Words and hosts are the commonest; examples are the pages next to the centre, each of another host if possible.
    `telling` are the words by which the cluster differs: how often they come in it, times the logarithm of how much
    oftener that is than in all pages (a term of the Kullback-Leibler divergence).
    """
    count = len(clusters)
    words_of_pages = [
        page_words(*page) for page in zip(columns["title"], columns["keywords"], columns["url"], strict=True)
    ]
    hosts = [find_url_domain(url) for url in columns["url"]]
    everywhere = Counter(word for page in words_of_pages for word in page)
    profiles = []
    for number in range(k):
        members = np.flatnonzero(clusters == number)
        own = Counter(word for page in members for word in words_of_pages[page])
        near = members[np.argsort(distances[members], kind="stable")]
        profiles.append(
            {
                "words": _most_common(own, WORDS),
                "hosts": _most_common(Counter(hosts[page] for page in members if hosts[page]), HOSTS),
                "examples": _choose_examples(columns, near, hosts),
                "share": len(members) / count if count else 0.0,
                "telling": _find_telling_words(own, len(members), everywhere, count),
            }
        )
    return profiles


def _most_common(counted: Counter[str], most: int) -> list[list[Any]]:
    return [list(item) for item in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]]


def _find_telling_words(own: Counter[str], members: int, everywhere: Counter[str], count: int) -> list[str]:
    scores = {}
    for word, pages in own.items():
        share = pages / members
        lift = share / (everywhere[word] / count)
        if pages >= min(MIN_PAGES, members) and lift > 1:
            scores[word] = share * np.log(lift)
    return sorted(scores, key=lambda word: (-scores[word], word))[:WORDS]


def _choose_examples(columns: Columns, near: np.ndarray, hosts: Sequence[str]) -> list[dict[str, str]]:
    chosen: dict[str, int] = {}
    for page in near:
        if len(chosen) == EXAMPLES:
            break
        chosen.setdefault(hosts[int(page)], int(page))
    pages = [*chosen.values(), *(int(page) for page in near[:EXAMPLES] if page not in chosen.values())][:EXAMPLES]
    return [{"url": columns["url"][page] or "", "title": columns["title"][page] or ""} for page in pages]


def name_clusters(profiles: list[Profile], kept: Sequence[str | None]) -> list[str]:
    """A name for each cluster, all different: the one that is kept, else its most telling words.

    A word that names one cluster does not name another; a cluster without words of its own is named by its host.
    """
    names: list[str | None] = list(kept)
    taken = {word for name in names if name for word in name.split(", ")}
    for number, profile in enumerate(profiles):
        if names[number]:
            continue
        own = [word for word in profile["telling"] if word not in taken][:LABEL_WORDS]
        own = own or [host for host, _ in profile["hosts"] if host not in taken][:1] or [f"cluster {number}"]
        taken.update(own)
        names[number] = ", ".join(own)
    return [name for name in names if name]
