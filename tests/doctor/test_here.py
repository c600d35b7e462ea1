"""The doctor: every check holds on the running stack, and each fault is found with its cure."""

import pytest

from millrace import doctor
from millrace.registry.store import ObjectStore
from millrace.settings import settings
from tests.pipeline.command import millrace
from tests.registry.servers import s3_server, settings_of


def test_every_check_passes_on_running_stack(stack):
    result = doctor.examine()
    assert [one["check"] for one in result if not one["ok"]] == []
    assert {"s3 conditional PUT", "catalog", "clock", "kafka", "connect"} <= {one["check"] for one in result}


@pytest.mark.parametrize("kind", ["s3proxy", "minio"])
def test_both_s3_servers_honour_conditional_writes(engines, kind, tmp_path):
    with s3_server(kind, tmp_path) as variables, settings_of(variables):
        ObjectStore(settings().models_bucket).ensure_bucket()
        result = {one["check"]: one for one in doctor.examine()}
        assert result["s3 conditional PUT"]["ok"], result["s3 conditional PUT"]
        assert result["clock"]["ok"], result["clock"]


def test_each_unavailable_dependency_is_reported_with_a_fix(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    for name in ("KAFKA_BOOTSTRAP", "CONNECT_URL", "S3_ENDPOINT"):
        monkeypatch.setenv(f"MILLRACE_{name}", "127.0.0.1:1" if name == "KAFKA_BOOTSTRAP" else "http://127.0.0.1:1")
    monkeypatch.setenv("MILLRACE_KAFKA_TIMEOUT", "1")
    monkeypatch.setenv("MILLRACE_S3_ACCESS_KEY", "k")
    monkeypatch.setenv("MILLRACE_S3_SECRET_KEY", "s")
    code, result, _ = millrace("doctor")
    assert code == 5
    faults = {one["check"]: one for one in result if not one["ok"]}
    assert {"kafka", "connect", "s3 conditional PUT", "clock"} <= set(faults)
    assert all(one["found"] and one["cure"] for one in faults.values())


def test_unknown_check_is_rejected():
    code, result, _ = millrace("doctor", "--only", "kafak")
    assert code == 2
    assert "kafka" in result["error"]["allowed"]


def test_unreachable_cluster_is_reported_once(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    code, result, _ = millrace("doctor", "--cluster")
    assert code == 5
    assert [one["check"] for one in result] == ["api server"]
    assert "KUBECONFIG" in result[0]["cure"]
