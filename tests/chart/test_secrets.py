"""templates/secrets: made once, kept, or somebody else's."""

import base64

from millrace.rights import COMPONENTS
from tests.chart.profiles import EXTERNAL_CATALOG, EXTERNAL_STORAGE
from tests.chart.render import of_kind, render


def test_missing_secrets_are_generated_long_and_kept():
    secrets = of_kind(render(only="secrets"), "Secret")
    logins = {f"millrace-s3-{component}" for component in COMPONENTS}
    assert set(secrets) == {"millrace-catalog", "millrace-seaweedfs"} | logins
    for item in secrets.values():
        # What SeaweedFS is told is made of the others.
        if item["metadata"]["name"] != "millrace-seaweedfs":
            assert item["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert all(len(base64.b64decode(value)) >= 20 for value in item["data"].values())
    assert all(set(secrets[name]["data"]) == {"access-key", "secret-key"} for name in logins)


def test_minio_has_one_login():
    secrets = of_kind(render({"storage": {"minio": {"enabled": True}}}, only="secrets"), "Secret")
    assert set(secrets) == {"millrace-catalog", "millrace-s3"}
    assert set(secrets["millrace-s3"]["data"]) == {"access-key", "secret-key"}


def test_two_installations_get_different_passwords():
    first = of_kind(render(only="secrets"), "Secret")["millrace-catalog"]["data"]
    second = of_kind(render(name="millrace-two", only="secrets"), "Secret")["millrace-two-catalog"]["data"]
    assert first != second


def test_existing_secret_is_used_and_not_generated():
    values = {
        "catalog": {"existingSecret": "my-catalog"},
        "storage": {"minio": {"enabled": True, "existingSecret": "my-keys"}},
    }
    assert render(values, only="secrets") == []
    text = str(render(values))
    assert "my-catalog" in text
    assert "my-keys" in text
    assert "'millrace-s3'" not in text


def test_no_secret_is_generated_for_external_services():
    assert render(EXTERNAL_CATALOG | EXTERNAL_STORAGE, only="secrets") == []
