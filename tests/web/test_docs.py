"""The page of the API's paths in a real browser: it lists what the document says, and sends a request."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from millrace.api.main import create_app
from millrace.settings import settings
from tests.api.inside import inside

PATIENCE_S = 30


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[httpx.Client]:
    """The API without champions."""
    for name, value in {"api_live": "false", **variables}.items():
        monkeypatch.setenv(f"MILLRACE_{name.upper()}", value)
    settings.cache_clear()
    try:
        with inside(create_app()) as api:
            yield api
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def wait(browser, what):
    return WebDriverWait(browser, PATIENCE_S).until(what)


def operation(browser, path: str, method: str = "get"):
    """An operation, opened."""
    selector = f"details[data-path='{path}'][data-method='{method}']"
    state = wait(browser, lambda driver: driver.find_element(By.CSS_SELECTOR, selector))
    state.find_element(By.TAG_NAME, "summary").click()
    wait(browser, lambda _: state.find_elements(By.TAG_NAME, "form"))
    return state


def answer(browser, opened) -> str:
    """What the API says after the button is pressed."""
    opened.find_element(By.TAG_NAME, "button").click()
    return wait(browser, lambda _: (text := opened.find_element(By.TAG_NAME, "pre").text) != "..." and text)


def test_docs_page_lists_every_path_and_sends_a_request(browser, monkeypatch):
    with served(monkeypatch) as api:
        browser.get(f"{api.base_url}/docs")
        paths = api.get("/openapi.json").json()["paths"]
        count = sum(map(len, paths.values()))
        wait(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, "details.operation")) == count)
        assert answer(browser, operation(browser, "/v1/workloads")).startswith("200\n[")
        opened = operation(browser, "/v1/mooc/history/{user_id}")
        opened.find_element(By.TAG_NAME, "input").send_keys("a/b ?#")
        assert answer(browser, opened).startswith("503\n")  # no champion, and the id was no other path
        opened = operation(browser, "/course_popularity", "post")
        assert "num_subscribers" in opened.find_element(By.TAG_NAME, "textarea").get_property("value")
        assert answer(browser, opened).startswith("503\n")
        refused = [entry["message"] for entry in browser.get_log("browser") if "Content Security" in entry["message"]]
        assert not refused


def test_docs_page_opens_and_asks_for_api_key_when_keys_are_set(browser, monkeypatch):
    with served(monkeypatch, api_keys="correct") as api:
        browser.get(f"{api.base_url}/docs")
        for key, refused in (("wrong", True), ("correct", False)):
            field = wait(
                browser, lambda driver: (element := driver.find_element(By.ID, "key")).is_displayed() and element
            )
            field.send_keys(key)
            browser.find_element(By.CSS_SELECTOR, "#ask button").click()
            if refused:
                wait(browser, lambda driver: "not accepted" in driver.find_element(By.ID, "refused").text)
        assert answer(browser, operation(browser, "/v1/workloads")).startswith("200\n[")
