"""The limit on open files."""

import subprocess
import sys

ROOM = """
import resource
from gateway.ops.descriptors import room_for_connections
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for limit in (1024, 64):
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    print(room_for_connections())
"""
PROGRAM = """
import resource
from gateway.ops.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
print(raise_descriptor_limit(), raise_descriptor_limit())
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    done = subprocess.run(  # noqa: S603 (ourselves, no shell)
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["256", "256"]


def test_connections_leave_descriptors_for_files_and_upstreams() -> None:
    done = subprocess.run(  # noqa: S603 (ourselves, no shell)
        [sys.executable, "-c", ROOM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["256", "32"]
