"""Where a continual training answers Prometheus is a setting like any other; PyTorch is not needed to see it."""

import httpx
import pytest

from millrace.errors import BadInputError
from millrace.neural.continual.metrics import ContinualMetrics
from millrace.settings import settings
from tests.registry.servers import free_port


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    """The `.env` of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILLRACE_METRICS_PORT", raising=False)
    settings.cache_clear()
    yield tmp_path / ".env"
    settings.cache_clear()


def test_metrics_port_can_be_set_in_env_file(env_file):
    port = free_port()
    env_file.write_text(f"MILLRACE_METRICS_PORT={port}\n")
    metrics = ContinualMetrics("mooc/recommendations", restarts=2)
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    finally:
        metrics.server.shutdown()
        metrics.server.server_close()
    assert 'millrace_continual_restarts{model="mooc/recommendations"} 2.0' in text


def test_invalid_port_is_rejected_naming_its_variable(env_file):
    env_file.write_text("MILLRACE_METRICS_PORT=70000\n")
    with pytest.raises(BadInputError, match="MILLRACE_METRICS_PORT='70000' is not usable"):
        ContinualMetrics("mooc/recommendations", restarts=0)


def test_no_metrics_are_recorded_without_port(env_file):
    metrics = ContinualMetrics("mooc/recommendations", restarts=0)
    metrics.record_checkpoint(3)
    assert not metrics.on
