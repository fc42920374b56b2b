"""What the kernel says of a process that has set itself up."""

import os
import subprocess
import sys

import pytest

from gateway.processes.tuning import be_patient

THREAD = """
import os, threading
from gateway.processes.tuning import be_patient
be_patient()
said = []
thread = threading.Thread(target=lambda: said.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(os.sched_getscheduler(0), *said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has SCHED_BATCH")
def test_all_threads_are_patient() -> None:
    said = subprocess.check_output([sys.executable, "-c", THREAD], text=True)  # noqa: S603 (this Python)
    assert said.split() == [str(os.SCHED_BATCH)] * 2


def test_a_system_that_knows_no_patience_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setscheduler", raising=False)
    be_patient()


def test_a_sandbox_that_forbids_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbid, raising=False)
    be_patient()
