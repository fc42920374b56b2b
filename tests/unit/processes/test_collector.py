import subprocess
import sys

SCRIPT = "import gc; from gateway.processes.collector import spare_collector; spare_collector(); "


def test_what_a_gateway_is_made_of_is_not_looked_at_again() -> None:
    """In a process of its own: nothing else here may be kept for ever."""
    script = SCRIPT + "print(gc.get_freeze_count() > 1000, gc.isenabled())"
    done = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]
