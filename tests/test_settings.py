"""Settings can't be poisoned by what Kubernetes puts into every pod, and safety does not hang on one that is empty."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.errors import BadInputError
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


def test_only_port_settings_can_collide_with_kubernetes_service_links():
    result = [field for field in FIELDS if could_be_a_link(field)]
    assert "api_port" in result
    assert all(field.endswith("_port") and "_service_" not in field for field in result)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("field", [field for field in FIELDS if could_be_a_link(field)])
def test_kubernetes_service_link_is_not_read_as_setting(field: str, address: str, monkeypatch: pytest.MonkeyPatch):
    wanted = getattr(settings(), field)
    settings.cache_clear()
    monkeypatch.setenv(f"MILLRACE_{field.upper()}", address)
    assert getattr(settings(), field) == wanted
    assert read_explicit(field) is None


@pytest.mark.parametrize("text", ["80 ", "http://127.0.0.1:80", "tcp", "tcp://host"])
def test_malformed_port_is_still_rejected(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_PORT", text)
    if text.strip().isdigit():
        assert settings().api_port == int(text)
    else:
        with pytest.raises(BadInputError, match="MILLRACE_API_PORT"):
            settings()


def test_explicit_port_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_PORT", "8123")
    assert settings().api_port == 8123
    assert read_explicit("api_port") == "8123"


@pytest.mark.parametrize("text", [",", "10.0.0.0/99", "proxy.example", "10.0.0.7,*"])
def test_proxies_are_addresses_or_networks(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_PROXIES", text)
    with pytest.raises(BadInputError, match=r"MILLRACE_API_PROXIES=.* such as 10\.0\.0\.7 or 10\.42\.0\.0/16"):
        settings()
    settings.cache_clear()
    monkeypatch.setenv("MILLRACE_API_PROXIES", "10.0.0.7, 10.42.0.0/16")
    assert settings().api_proxies == "10.0.0.7/32,10.42.0.0/16"


SECRETS = ["kafka_password", "s3_secret_key", "catalog_password", "api_keys"]


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
@pytest.mark.parametrize("field", [*SECRETS, "s3_access_key", "api_host", "metrics_host"])
def test_blank_secret_or_address_is_rejected(field: str, text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"MILLRACE_{field.upper()}", text)
    with pytest.raises(BadInputError, match=f"MILLRACE_{field.upper()}=.* is not usable: it is set and holds no"):
        settings()


@pytest.mark.parametrize("field", ["kafka_username", "catalog_user", "kafka_ca_file"])
def test_blank_login_or_ca_is_rejected_and_empty_one_means_unset(field: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"MILLRACE_{field.upper()}", "")
    assert getattr(settings(), field) is None
    settings.cache_clear()
    monkeypatch.setenv(f"MILLRACE_{field.upper()}", " ")
    with pytest.raises(BadInputError, match=f"MILLRACE_{field.upper()}=' ' is not usable"):
        settings()


@pytest.mark.parametrize(
    ("parameters", "lacking"),
    [
        ("kafka_password", "kafka_username"),
        ("catalog_password", "catalog_user"),
        ("s3_secret_key", "s3_access_key"),
        ("s3_access_key", "s3_secret_key"),
    ],
)
@pytest.mark.parametrize("text", [None, ""])
def test_partial_login_is_rejected_naming_missing_half(
    parameters: str, lacking: str, text: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(f"MILLRACE_{parameters.upper()}", "a-secret")
    monkeypatch.delenv(f"MILLRACE_{lacking.upper()}", raising=False)
    if text is not None:
        monkeypatch.setenv(f"MILLRACE_{lacking.upper()}", text)
    with pytest.raises(BadInputError, match=f"MILLRACE_{lacking.upper()}") as error:
        settings()
    assert "a-secret" not in error.value.message


def test_missing_ca_file_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MILLRACE_KAFKA_CA_FILE", str(tmp_path / "ca.crt"))
    with pytest.raises(BadInputError, match=r"MILLRACE_KAFKA_CA_FILE=.* there is no such file"):
        settings()
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    assert settings().kafka_ca_file == tmp_path / "ca.crt"


@pytest.mark.parametrize("text", [",", " ", "*", "null", "shop.example", "https://shop.example/", "https://a.b,*"])
def test_origins_must_be_listed_individually(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_CORS_ORIGINS", text)
    with pytest.raises(BadInputError, match=r"MILLRACE_API_CORS_ORIGINS=.* comma-separated origins such as"):
        settings()
    settings.cache_clear()
    monkeypatch.setenv("MILLRACE_API_CORS_ORIGINS", "https://Shop.example, http://localhost:3000")
    assert settings().api_cors_origins == "https://shop.example,http://localhost:3000"


@pytest.mark.parametrize("text", [",", " ", "*", "https://api.example", "api.example:80", "a b", "api.example/"])
def test_hosts_must_be_plain_names(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILLRACE_API_HOSTS", text)
    with pytest.raises(BadInputError, match=r"MILLRACE_API_HOSTS=.* comma-separated names such as"):
        settings()
    settings.cache_clear()
    monkeypatch.setenv("MILLRACE_API_HOSTS", "api.example, *.apps.example")
    assert settings().api_hosts == "api.example, *.apps.example"


def test_settings_that_chart_leaves_empty_are_accepted(monkeypatch: pytest.MonkeyPatch):
    for field in ("s3_endpoint", "kafka_ca_file", "kafka_username", "catalog_user", "api_cors_origins", "api_hosts"):
        monkeypatch.setenv(f"MILLRACE_{field.upper()}", "")
    assert settings().s3_endpoint is None
