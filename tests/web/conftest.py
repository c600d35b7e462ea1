"""A real browser, and the topic that the pages of the real API follow."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from millrace.messaging.client import read_all
from millrace.messaging.producer import producer
from tests.pages import told

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,1400",
]
TOPIC = "urls.deltas"
Publish = Callable[..., None]


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    """Headless Chromium with a profile of its own; skips where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("chromium and chromedriver are not here")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield found
    finally:
        found.quit()


@pytest.fixture(scope="module")
def publish(stack) -> Iterator[Publish]:
    """Sends messages to the topic of the running stack; what was in it before, and these afterwards, get tombstones."""
    sender = producer()

    def send(*messages: told.Message) -> None:
        for key, value in map(told.encoded, messages):
            sender.send(TOPIC, key.encode(), value)
        sender.flush()

    def forget() -> None:
        present = {message.key.decode(): message.value for message in read_all(TOPIC)}
        send(*((key, None) for key, value in present.items() if value is not None))

    forget()
    try:
        yield send
    finally:
        forget()
        sender.close()
