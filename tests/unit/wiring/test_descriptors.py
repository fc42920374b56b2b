"""The limit on open files."""

import subprocess
import sys

PROGRAM = """
import resource
from gateway.wiring.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
print(raise_descriptor_limit(), raise_descriptor_limit())
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    done = subprocess.run(  # noqa: S603 (ourselves, no shell)
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["256", "256"]
