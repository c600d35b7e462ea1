"""Settings can't be poisoned by what Kubernetes puts into the environment of every pod."""

import re
from collections.abc import Iterator

import pytest

from millrace.errors import BadInput
from millrace.settings import Settings, read_explicit, settings

FIELDS = sorted(Settings.model_fields)
# The words of the names that Kubernetes makes for a Service: kubelet's envvars.FromServices.
LINK = re.compile(r"(?P<service>.+?)_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
ADDRESSES = ["tcp://10.96.0.34:80", "udp://10.96.0.34:53", "sctp://10.96.0.34:9999", "tcp://[fd00::22]:80"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def could_be_a_link(field: str) -> bool:
    """Whether a Service's name exists for which Kubernetes sets this setting's variable."""
    return LINK.fullmatch(f"MILLRACE_{field.upper()}") is not None


def test_of_the_names_that_kubernetes_makes_settings_have_only_those_of_ports():
    found = [field for field in FIELDS if could_be_a_link(field)]
    assert "api_port" in found
    assert all(field.endswith("_port") and "_service_" not in field for field in found)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("field", [field for field in FIELDS if could_be_a_link(field)])
def test_a_service_link_is_no_setting(field: str, address: str, monkeypatch: pytest.MonkeyPatch):
    wanted = getattr(settings(), field)
    settings.cache_clear()
    monkeypatch.setenv(f"MILLRACE_{field.upper()}", address)
    assert getattr(settings(), field) == wanted
    assert read_explicit(field) is None


@pytest.mark.parametrize("text", ["80 ", "http://127.0.0.1:80", "tcp", "tcp://host"])
def test_what_somebody_set_by_mistake_is_still_refused(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_PORT", text)
    if text.strip().isdigit():
        assert settings().api_port == int(text)
    else:
        with pytest.raises(BadInput, match="MILLRACE_API_PORT"):
            settings()


def test_a_port_that_somebody_chose_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_PORT", "8123")
    assert settings().api_port == 8123
    assert read_explicit("api_port") == "8123"
