"""Ending by a signal, wherever it arrives, and children that do not end."""

import signal
import subprocess
import sys
import time

import pytest

from millrace.runtime.signals import end_child

DROPPED = """
import os, signal, sys, time, weakref
from millrace.runtime.signals import end_on_sigterm

class Thing:
    pass

class Loud:
    def __del__(self):
        {signal}

# What runs in the background of a shell is born deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
end_on_sigterm({code})
try:
    {act}
    time.sleep(30)
except BaseException as error:
    print(type(error).__name__, flush=True)
    raise
finally:
    print("cleaned up", flush=True)
"""
RAISE = "signal.raise_signal(signal.SIGTERM)"
CALLBACK = f"thing = Thing(); reference = weakref.ref(thing, lambda _: {RAISE}); del thing"


def run(signal_: str, act: str, code: str = "") -> subprocess.CompletedProcess[str]:
    script = DROPPED.format(signal=signal_, act=act, code=code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("act", ["Loud()", CALLBACK, RAISE])
def test_signal_is_handled_once_wherever_it_arrives(act):
    done = run(RAISE, act)
    assert done.returncode == 143
    assert done.stdout.split("\n") == ["SystemExit", "cleaned up", ""]
    assert done.stderr == ""


def test_exit_code_can_be_overridden():
    assert run("pass", RAISE, "0").returncode == 0


def test_interrupt_in_finalizer_is_also_handled():
    done = run("signal.raise_signal(signal.SIGINT)", "Loud()")
    assert done.stdout.split("\n") == ["KeyboardInterrupt", "cleaned up", ""]


def test_other_finalizer_errors_are_still_reported():
    done = run("raise ValueError('lost')", "Loud(); os._exit(0)")
    assert "ValueError: lost" in done.stderr


@pytest.mark.parametrize(("ignores", "ended_by"), [("SIG_IGN", signal.SIGKILL), ("SIG_DFL", signal.SIGTERM)])
def test_child_ends_on_sigterm_or_is_killed_after_timeout(ignores, ended_by):
    script = f"import signal, time; signal.signal(15, signal.{ignores}); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        begun = time.monotonic()
        end_child(child, patience=1)
    assert child.returncode == -ended_by
    assert time.monotonic() - begun < 20
    end_child(child)
