"""Hosts and registered domains: offline, in any spelling, and of anything that stands where a URL should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.pages.hosts import find_url_domain, split_url
from millrace.pages.words import page_words


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.bbc.co.uk/news/uk-politics-36615028", "bbc.co.uk"),
        ("http://Example.COM", "example.com"),
        ("example.com:443", "example.com"),
        ("https://user:secret@mail.example.com:8443/x?y=@z#a@b", "example.com"),
        ("https://alice.github.io/blog", "alice.github.io"),
        ("https://github.io/", "github.io"),
        ("https://www.city.kawasaki.jp/a", "city.kawasaki.jp"),
        ("https://a.b.example.newthing", "example.newthing"),
        ("https://www.Bücher.example/ä", "xn--bcher-kva.example"),
        ("https://www.xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://日本語.jp", "xn--wgv71a119e.jp"),
        ("https://faß.de/", "xn--fa-hia.de"),
        ("https://FASS.de/", "fass.de"),
        ("https://www.βόλος.com", "xn--nxasmm1c.com"),
        ("https://نامه‌ای.com", "xn--mgba3gch31f060k.com"),
        ("https://💩.la", "xn--ls8h.la"),
        ("https://example。com", "example.com"),
        ("//cdn.example.com/x.js", "example.com"),
        ("https://example.com./", "example.com"),
        ("https://192.168.0.1:8080/admin", "192.168.0.1"),
        ("http://[2001:DB8::1]:80/", "2001:db8::1"),
        ("https://example.com\\@evil.test/", "example.com"),
        ("https://example.com?q=http://other.com", "example.com"),
    ],
)
def test_registered_domain_follows_public_suffix_list(url, domain):
    assert find_url_domain(url) == domain


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", " ", "https://", "http:///x", "https://co.uk/", "http://localhost:80/", "https://1.2.3.999/", "?"),
        *(
            "a b.com",
            "https://.com",
            "https://a..b.com",
            f"https://{'a' * 64}.com",
            "https://a\u200cb.com",
            "https://ü\u200d💩.com",
            "https://\u0301a.com",
            "https://xn--\ud800.de",
            ":443",
        ),
    ],
)
def test_url_without_registered_domain_has_empty_domain(url):
    assert find_url_domain(url) == ""


@given(st.text(max_size=60) | st.text("ahtps:/.@[]?#%-0129ü\\ ", max_size=60))
def test_any_text_is_split_and_domain_extraction_is_idempotent(text):
    domain = find_url_domain(text)
    host = f"[{domain}]" if ":" in domain else domain
    assert find_url_domain(f"https://{host}/") == domain
    assert split_url(text).host == split_url(f"//{split_url(text).host}").host or ":" in split_url(text).host
    assert len(page_words(text, text, text)) == len(set(page_words(text, text, text)))


@pytest.mark.parametrize(
    ("title", "url", "result"),
    [
        ("Rust 1.0 is here!", "https://a.de/rust-released_now/index.html", ["rust", "released"]),
        ("C'était l'été", "https://a.de/%C3%A9t%C3%A9?utm_source=mail", ["était", "été"]),
        ("東京の歴史", "https://a.jp", ["東京", "京の", "の歴", "歴史"]),
        (None, "https://a.de/13a11804-6d4a/x7f9k2/b2b", ["b2b"][:0]),
        ("web3 and mp3", None, ["web3", "mp3"]),
    ],
)
def test_words_of_any_script_are_unique_and_exclude_ids(title, url, result):
    assert page_words(title, None, url) == result
