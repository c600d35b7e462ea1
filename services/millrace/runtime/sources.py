"""Where settings come from beside the environment: a `.env` of whoever wrote it, and the stack that runs here."""

import codecs
import json
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.main import resolve_variables
from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from millrace.errors import BadInputError
from millrace.runtime.locks import is_held

ENV_FILE = ".env"
OWN_STACK = "stack"
"""As an address: that of the one-machine stack of `home`, while it runs."""
ENDPOINTS = "endpoints.json"
LOCK = "supervisor.lock"
"""Held by the supervisor of a home as long as it lives: the addresses in ENDPOINTS are true while it is."""
SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
"""What Kubernetes sets <SERVICE>_PORT to in every pod of the Service's namespace: for the Service millrace-api that
variable is MILLRACE_API_PORT."""
ADDRESSES = {"kafka_bootstrap": "kafka_", "connect_url": "connect_", "s3_endpoint": "s3_", "catalog_jdbc": "catalog_"}
"""Address -> how the settings begin that belong to it."""
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Environment(EnvSettingsSource):
    """The environment without the ports of Kubernetes' service links, which nobody has set on purpose."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if not is_unset(name, value)}


class DotEnv(DotEnvSettingsSource):
    """The file `.env`, which may be another tool's: whatever else it holds, only our variables count."""

    def __init__(self, settings_class: type[BaseSettings]) -> None:
        super().__init__(settings_class, env_file=ENV_FILE)

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if not is_unset(name, value)}

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        return parse_env_vars(
            read_variables(file_path, self.env_prefix),
            self.case_sensitive,
            self.env_ignore_empty,
            self.env_parse_none_str,
        )


def is_unset(name: str, value: object) -> bool:
    """Whether a value says no more than the default, or is a service link's."""
    return is_service_link(name, value) or (name in ADDRESSES and value == OWN_STACK)


def is_service_link(name: str, value: object) -> bool:
    """Whether a setting's name and value are those of a service link."""
    return name.endswith("_port") and isinstance(value, str) and SERVICE_LINK.fullmatch(value) is not None


def read_variables(file: Path, prefix: str) -> dict[str, str | None]:
    """The variables of an env file. Bytes that are not UTF-8 become surrogates; UTF-16 is read by its byte order mark.

    Raises BadInputError for a file that can't be read, and for a line of ours that can't be parsed; others are passed
    over.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInputError(f"{file.absolute()} can't be read: {error.strerror}.", code="bad_setting") from None
    mark = next((mark for mark in BYTE_ORDER_MARKS if content.startswith(mark)), b"")
    text = content.decode(BYTE_ORDER_MARKS.get(mark, "utf-8"), "replace" if len(mark) == 2 else "surrogateescape")
    bindings = list(parse_stream(StringIO(text)))
    for binding in bindings:
        if binding.error and prefix.upper() in binding.original.string.upper():
            raise BadInputError(
                f"Line {binding.original.line} of {file.absolute()} can't be parsed: "
                f"{binding.original.string.strip()[:80]!r}; allowed: NAME=value, with quotes that are closed.",
                code="bad_setting",
            )
    pairs = ((binding.key, binding.value) for binding in bindings if binding.key is not None)
    return dict(resolve_variables(pairs, override=True))


class RunningStack(PydanticBaseSettingsSource):
    """The addresses and logins that the one-machine stack of `home` has written down, while it runs."""

    def __init__(self, settings_class: type[BaseSettings], default_home: Path) -> None:
        super().__init__(settings_class)
        self.default_home = default_home

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        home = Path(self.current_state.get("home") or self.default_home).expanduser()
        try:
            if not is_held(home / LOCK):
                return {}
            endpoints = json.loads((home / ENDPOINTS).read_text())
        except (OSError, json.JSONDecodeError):
            return {}  # nothing runs, or nothing that is ours to use: who needs an address says so
        for address, prefix in ADDRESSES.items():
            group = {name for name in endpoints if name.startswith(prefix)}
            chosen = {name for name in group if self.current_state.get(name) not in (None, endpoints[name])}
            # Another server does not get the stack's login, and another login is taken as a whole.
            dropped = group if address in chosen else group - {address} if chosen else set()
            endpoints = {name: value for name, value in endpoints.items() if name not in dropped}
        return endpoints
