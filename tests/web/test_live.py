"""The live page in a real browser, against the real API and topic."""

from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from millrace.settings import settings
from tests.api.server import serving
from tests.pages import feed
from tests.registry.servers import free_port

PAGE = "/v1/urls/live"
FOREIGN = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


def now() -> datetime:
    return datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) // 10 * 10, UTC)


def wait(browser, condition, seconds: float = 60):
    """The first true answer of a condition; where none comes, the page as it stands is in the error."""
    try:
        return WebDriverWait(browser, seconds, 0.1).until(lambda _: condition())
    except Exception as error:
        raise AssertionError(browser.find_element(By.TAG_NAME, "body").text[:2000]) from error


def texts(browser, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
    return browser.execute_script(script, selector)


def state(browser) -> str:
    return browser.find_element(By.ID, "state").get_attribute("data-state")


def faults(browser) -> list[str]:
    """What the console says, broken rules of the page's security policy among it."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def page(stack, browser, publish):
    """The page of the stack's API with the charts of ten minutes."""
    end = now()
    publish(*feed.history(end, 60))
    browser.get(f"http://127.0.0.1:{settings().api_port}{PAGE}")
    wait(browser, lambda: len(texts(browser, "#shares path.solid")) == 4)
    return end


def test_both_charts_and_table_show_published_data(browser, page):
    assert state(browser) == "live"
    assert browser.title.startswith("urls, live")
    labels = ["news world", "shop price", "code python", "video music"]
    assert texts(browser, "#legend li") == labels
    assert [text.split(" #")[0] for text in texts(browser, "#clusters tbody th")] == labels
    assert len(texts(browser, "#messages path.messages")) >= 1
    assert "in 60 steps of 10 seconds" in browser.find_element(By.CSS_SELECTOR, "#shares svg").get_attribute(
        "aria-label"
    )
    facts = " ".join(texts(browser, "#facts dd"))
    for shown in ("204", "PSI 0.034", "10,000", "20261122T040000Z-0123abcd"):
        assert shown in facts
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('#shares path.solid')].map((one) => one.getBBox().height)"
    )
    assert all(height > 10 for height in drawn)
    assert faults(browser) == []


def test_cluster_has_same_colour_everywhere(browser, page):
    script = """return [...document.querySelectorAll('#shares path.solid')].map((path) => [getComputedStyle(path).fill,
        getComputedStyle(document.querySelector(`#clusters tr[data-cluster="${path.dataset.cluster}"] .swatch`))
        .backgroundColor])"""
    pairs = browser.execute_script(script)
    assert all(drawn == listed for drawn, listed in pairs)
    assert len({drawn for drawn, _ in pairs}) == 4


def test_new_window_is_drawn_without_page_reload(browser, page, publish):
    browser.execute_script("window.before = true")
    end = page + timedelta(seconds=10)
    publish(
        feed.window(page, {0: 500, 7: 40}),
        feed.cluster(7, label="a new one"),
        feed.stream(end, rows_per_second=54),
    )
    wait(browser, lambda: "54" in texts(browser, "#facts dd")[0])
    wait(browser, lambda: texts(browser, "#legend li")[-1] == "a new one")
    assert "in 61 steps" in browser.find_element(By.CSS_SELECTOR, "#shares svg").get_attribute("aria-label")
    assert browser.execute_script("return window.before")


def test_chart_data_is_also_available_as_table(browser, page):
    browser.find_element(By.CSS_SELECTOR, "#numbers summary").click()
    wait(browser, lambda: texts(browser, "#numbers tbody tr"))
    assert texts(browser, "#numbers thead th")[:3] == ["From", "All", "news world"]
    total = sum(int(text.replace(",", "")) for text in texts(browser, "#numbers tbody td:nth-of-type(1)"))
    script = "return fetch('timeline?minutes=15').then((one) => one.json()).then((one) => one.messages)"
    assert total == sum(browser.execute_script(script))
    browser.find_element(By.CSS_SELECTOR, "#numbers summary").click()


def test_untrusted_titles_render_as_text_and_only_web_urls_become_links(browser, page, publish):
    examples = [
        {"url": "javascript:window.hacked=1", "title": FOREIGN},
        {"url": "https://ok.example.com/?a=<b>", "title": "fine"},
    ]
    publish(feed.cluster(0, label=FOREIGN, words=[[FOREIGN, 3]], hosts=[[FOREIGN, 2]], examples=examples))
    wait(browser, lambda: FOREIGN in texts(browser, "#legend li"))
    assert texts(browser, "#clusters tr[data-cluster='0'] li") == [FOREIGN, "fine"]
    links = browser.find_elements(By.CSS_SELECTOR, "#clusters tr[data-cluster='0'] a")
    assert [one.get_attribute("href") for one in links] == ["https://ok.example.com/?a=%3Cb%3E"]
    assert {"noopener", "nofollow"} <= set(links[0].get_attribute("rel").split())
    assert browser.execute_script(
        "return [window.hacked, document.querySelectorAll('main img, main script').length]"
    ) == [
        None,
        0,
    ]
    assert faults(browser) == []
    publish(feed.cluster(0))


def test_narrow_screen_shows_everything_without_horizontal_scrolling(browser, page):
    before = browser.get_window_size()
    browser.set_window_size(500, 900)
    try:
        script = "return [document.documentElement.scrollWidth, innerWidth]"
        wait(browser, lambda: (result := browser.execute_script(script))[0] <= result[1])
        assert len(texts(browser, "#shares path.solid")) >= 4
    finally:
        browser.set_window_size(before["width"], before["height"])


def test_page_prompts_for_api_key_and_reconnects_after_server_restart(browser, page, tmp_path):
    variables = {"MILLRACE_API_KEYS": "correct", "MILLRACE_API_LIVE": "true"}
    port = free_port()
    with serving(variables, tmp_path, port=port):
        browser.get(f"http://127.0.0.1:{port}{PAGE}")
        wait(browser, lambda: state(browser) == "key")
        assert browser.find_element(By.ID, "ask").is_displayed()
        for key in ("wrong", "correct"):
            browser.find_element(By.ID, "key").send_keys(key + "\n")
            if key == "wrong":
                wait(browser, lambda: "not accepted" in browser.find_element(By.ID, "refused").text)
        wait(browser, lambda: len(texts(browser, "#shares path.solid")) >= 4)
        assert not browser.find_element(By.ID, "ask").is_displayed()
    wait(browser, lambda: state(browser) == "lost")
    with serving(variables, tmp_path, port=port):
        wait(browser, lambda: state(browser) == "live")


def test_commands_to_ingest_pages_are_shown_while_there_are_none(browser, stack, tmp_path):
    with serving({"MILLRACE_API_LIVE": "false"}, tmp_path) as server:
        browser.get(f"{server.url}{PAGE}")
        wait(browser, lambda: browser.find_element(By.ID, "empty").is_displayed())
        commands = browser.find_element(By.ID, "commands").text
        assert "millrace ingest urls" in commands
        assert "millrace stream" not in commands, "the stack runs one, and two are refused"
        assert not texts(browser, "#shares svg")
