"""A run's plan, its surroundings, its commands, and the faults that it makes: without an engine."""

import io
import os
from types import SimpleNamespace

import pytest

from millrace.errors import UnavailableError
from millrace.prove import health
from millrace.prove.certificate import make_certificate
from millrace.prove.checker import Verdict, Violation
from millrace.prove.commands import Commands, parse_output
from millrace.prove.history import History, Recorder, Reply
from millrace.prove.isolation import isolate, make_environment
from millrace.prove.run import list_needs, plan
from millrace.prove.schedule import Fault, Schedule
from millrace.settings import settings
from millrace.workloads import load_workloads

ITEMS = [f"C{number}" for number in range(30)]


def make_schedule(*faults: Fault) -> Schedule:
    return Schedule(7, 60.0, faults)


def test_plan_begins_and_ends_faults_by_time_and_ends_first():
    schedule = make_schedule(Fault("pause", "connect", 3, 12), Fault("kill", "api", 9), Fault("slow", "s3", 15, 4))
    assert [(step.at, step.number, step.is_begin) for step in plan(schedule)] == [
        (3, 0, True),
        (9, 1, True),
        (15, 0, False),
        (15, 2, True),
        (19, 2, False),
    ]


def test_needs_are_those_of_the_schedules_faults():
    assert list_needs(
        make_schedule(Fault("kill", "api", 1), Fault("full", "s3", 2, 3), Fault("full", "kafka", 9, 3))
    ) == ["mount"]


def test_run_sees_no_other_stack_and_leaves_its_surroundings_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP", "production:9092")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MILLRACE_S3_ENDPOINT=http://production:9000\n")
    before = dict(os.environ)
    with isolate(tmp_path) as home:
        assert settings().home == home
        assert (settings().kafka_bootstrap, settings().s3_endpoint) == ("stack", "stack")
        assert set(load_workloads()) == {"catalogue", "mooc"}
        assert home.is_dir()
    assert dict(os.environ) == before
    assert os.getcwd() == str(tmp_path)
    assert not home.exists()
    settings.cache_clear()


def test_home_is_removed_when_a_signal_ends_the_run(tmp_path):
    def run() -> None:
        with isolate(tmp_path) as home:
            (home / "kafka").mkdir()
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        run()
    assert list(tmp_path.iterdir()) == []


def test_relative_paths_of_python_still_lead_there(tmp_path):
    made = make_environment({"PYTHONPATH": f"services{os.pathsep}/x", "MILLRACE_API_KEYS": "k"}, tmp_path)
    assert made["PYTHONPATH"].split(os.pathsep) == [os.path.abspath("services"), "/x"]
    assert "MILLRACE_API_KEYS" not in made


def test_command_that_fails_is_an_error_with_its_output(tmp_path):
    commands = Commands(tmp_path)
    with pytest.raises(UnavailableError, match=r"`millrace validate nothing x --json` ended with 2: .*no workload"):
        commands.run("validate", "nothing", "x", "--json", timeout_s=60)
    commands.stop()
    assert [file.name for file in tmp_path.iterdir()] == ["001-validate.log"]


def test_output_is_a_document_or_the_documents_on_its_lines():
    assert parse_output(b'{"a": 1}\n') == {"a": 1}
    assert parse_output(b'warning\n{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    assert parse_output(b"") == []


class ReadyApi:
    def __init__(self, *bodies):
        self.bodies = bodies

    def ready(self):
        return self.bodies[0]


def body(staleness, error=None):
    return {"live": {"mooc": {"staleness": staleness, "error": error}}}


@pytest.mark.parametrize(
    ("live", "expected"),
    [(body(0.4), True), (body(9.0), False), (body(None), False), (body(0.4, "train again"), False), (None, False)],
)
def test_api_is_up_to_date_when_it_says_so(live, expected):
    assert health.is_up_to_date(live, "mooc") is expected


def test_stack_is_healthy_only_by_a_look_after_the_last_fault(monkeypatch):
    monkeypatch.setattr(health, "POLL_INTERVAL_S", 0.01)
    output = io.StringIO()
    recorder = Recorder(output)
    running = [False]
    watch = health.HealthWatch(ReadyApi(Reply(200, body(0.2))), "mooc", lambda: running[0], recorder)
    watch.start()
    watch.disturb()
    recorder.perform("poster", "post", "u", [], lambda: Reply(202))
    assert not watch.wait_healthy(0.1)
    running[0] = True
    assert watch.wait_healthy(20)
    watch.disturb()
    assert not watch.wait_healthy(0.1), "no post was acknowledged since"
    recorder.perform("poster", "post", "u", [], lambda: Reply(202))
    assert watch.wait_healthy(20)
    watch.stopping.set()
    watch.join(20)
    assert [mark.name for mark in History.from_lines(output.getvalue().splitlines()).marks] == ["healthy"] * 2


def test_certificate_names_what_was_made_what_not_and_what_is_broken():
    faults = [
        SimpleNamespace(number=0, phase="begin", kind="kill", target="kafka", note=""),
        SimpleNamespace(number=0, phase="end", kind="kill", target="kafka", note=""),
        SimpleNamespace(number=1, phase="begin", kind="kill", target="api", note=""),
        SimpleNamespace(number=1, phase="failed", kind="kill", target="api", note="it does not run"),
    ]
    verdict = Verdict([Violation("lost", "C1 is not in the lake", [])], {"lost": 4}, {"post done": 9})
    certificate = make_certificate(
        make_schedule(Fault("kill", "kafka", 3)),
        verdict,
        faults,
        {"mount": "mounting a tmpfs needs root"},
        {"code": "x"},
        10,
    )
    text = certificate.to_text()
    for line in (
        "VIOLATED: seed 7, 60 s, 1 faults",
        "made     1 x kill kafka",
        "not made kill api: it does not run",
        "skipped  full: mounting a tmpfs needs root",
        "checked  9 post done",
        "BROKEN   lost: 4",
        "C1 is not in the lake",
        "version  code: x",
    ):
        assert line in text
    document = certificate.to_json()
    assert document["result"] == "violated"
    assert document["schedule"]["faults"][0]["kind"] == "kill"
    assert make_certificate(make_schedule(), Verdict([], {}, {}), [], {}, {}, 10).to_text().startswith("PROVED: seed 7")
