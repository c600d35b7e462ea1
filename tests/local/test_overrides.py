"""Fronts and variables that a harness gives a stack of its own."""

import pytest

from millrace.errors import BadInputError
from millrace.local import configure, java, state, supervisor
from millrace.local.kafka import Front, broker_properties
from millrace.local.overrides import NO_OVERRIDES, StackOverrides
from millrace.settings import settings


def test_overrides_arrive_as_they_were_sent():
    overrides = StackOverrides({"kafka": 21_000}, {"api": {"LD_PRELOAD": "x.so"}})
    assert StackOverrides.parse(overrides.to_argument()) == overrides
    assert supervisor.StackSupervisor.__init__.__defaults__ == (NO_OVERRIDES,)


@pytest.mark.parametrize("argument", ["{", "[]", '{"fronts": {"api": 1}}', '{"backs": {}}'])
def test_overrides_that_nobody_writes_are_refused(argument):
    with pytest.raises(BadInputError, match="not usable"):
        StackOverrides.parse(argument)


def test_front_is_a_listener_of_its_own_and_the_broker_speaks_past_it():
    plain, fronted = broker_properties(1, 2, "p"), broker_properties(1, 2, "p", Front(3, 4))
    assert fronted["listeners"] == f"{plain['listeners']},FRONT://127.0.0.1:3"
    assert fronted["advertised.listeners"] == f"{plain['listeners']},FRONT://127.0.0.1:4"
    assert fronted["inter.broker.listener.name"] == "CLIENTS"
    assert (
        fronted["listener.name.front.plain.sasl.jaas.config"] == plain["listener.name.clients.plain.sasl.jaas.config"]
    )


def test_clients_are_told_the_fronts_and_servers_listen_behind_them(home, monkeypatch):
    monkeypatch.setattr(java, "find_java", lambda: home / "java")
    monkeypatch.setattr(configure.kafka, "make_kafka", lambda *arguments: arguments)
    monkeypatch.setattr(configure.s3, "make_s3", lambda *arguments: arguments)
    monkeypatch.setattr(configure.connect, "make_connect", lambda *arguments: arguments)
    monkeypatch.setenv("MILLRACE_LOCAL_LIVE", "false")
    settings.cache_clear()
    (broker, s3, connect, *_), _ = configure.configure(home, {"kafka": 31_001, "s3": 31_002})
    endpoints, ports = state.read_json(home / "endpoints.json"), state.read_json(home / "ports.json")
    assert endpoints["kafka_bootstrap"] == "127.0.0.1:31001"
    assert endpoints["s3_endpoint"] == "http://127.0.0.1:31002"
    assert broker[-1] == Front(ports["kafka_fronted"], 31_001)
    assert broker[2] == ports["kafka"]
    assert s3[2] == ports["s3"]
    assert connect[3] == 31_001
    (broker, _, connect, *_), _ = configure.configure(home)
    assert broker[-1] is None
    assert connect[3] == ports["kafka"]
