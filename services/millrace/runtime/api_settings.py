"""The settings of the API alone."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from millrace.runtime.setting_types import Given, Hosts, Keys, Networks, Origins


class ApiSettings(BaseSettings):
    """Where the API listens, whom it answers, and its limits. Durations are seconds, sizes are bytes."""

    api_host: Given = "127.0.0.1"
    """The address the API listens on. The default value is 127.0.0.1."""
    api_port: int = Field(8000, ge=1, le=65535)
    """The port the API listens on. The default value is 8000."""
    api_workers: int = Field(2, ge=1, le=64)
    """Worker processes of the API. The default value is 2."""
    api_keys: Keys | None = None
    """Comma-separated keys; when set, every call but health needs one in X-API-Key. No default value."""
    api_posting: str = Field("open", pattern="^(open|keys)$")
    """Who may post events: open follows api_keys, as every call does; keys takes none while there are no keys. The
    default value is open."""
    api_body_limit: int = Field(2_000_000, ge=1_000)
    """The largest request body. The default value is 2000000."""
    api_list_limit: int = Field(10_000, ge=1)
    """The longest list of rows in one request. The default value is 10000."""
    api_request_timeout: float = Field(30.0, ge=1, le=600)
    """How long a request may take to arrive, headers and body together, and an answer to be taken. The default value
    is 30."""
    api_idle_timeout: float = Field(5.0, ge=1, le=600)
    """How long a connection may be idle between two requests. The default value is 5."""
    api_connections: int = Field(2000, ge=50, le=100_000)
    """Connections that a worker keeps open at the same time, fewer where the limit on open files is lower; for a new
    one that which keeps it waiting longest is ended. The default value is 2000."""
    api_proxies: Networks = ""
    """Comma-separated addresses or networks of proxies whose X-Forwarded-For is believed, beside this machine's own;
    empty is none. The default value is empty."""
    api_cors_origins: Origins = ""
    """Comma-separated origins whose pages may call the API; empty is none but its own. The default value is empty."""
    api_hosts: Hosts = ""
    """Comma-separated names under which the API is reached beside those of this machine and api_host. Requests for
    others are refused where there are some, and where api_host is this machine alone. The default value is empty."""
    api_poll_interval: float = Field(1.0, ge=0.05, le=300)
    """How often a worker looks for a new champion. The default value is 1."""

    api_live: bool = True
    """Whether the API follows Kafka, so that events change its answers; false: it needs no broker, and answers are
    those of the snapshots. The default value is true."""
    api_event_timeout: float = Field(10.0, ge=1, le=120)
    """How long a posted event waits for Kafka's acknowledgement before the answer is 503. The default value is 10."""

    api_streams: int = Field(100, ge=1, le=10_000)
    """Live pages that a worker keeps up to date at the same time. The default value is 100."""
    api_streams_per_client: int = Field(25, ge=1, le=10_000)
    """How many of them may be of one client address. The default value is 25."""

    api_arrays: Path | None = None
    """A folder in which workers share the mapped arrays of recommenders; `millrace serve` makes one for its time. None
    keeps them in each worker's memory. No default value."""
