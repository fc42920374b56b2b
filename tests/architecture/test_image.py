"""The image does what its Dockerfile says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.admin import serving

DOCKERFILE = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
END_S = 15.0


def check_health(port: int) -> int:
    """Run the command of HEALTHCHECK where a proxy is set, and return its exit code."""
    told = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert told is not None
    program, *arguments = json.loads(told[1])
    assert program == "python"
    proxy = "http://127.0.0.1:1"
    return subprocess.run(  # noqa: S603 (this Python)
        [sys.executable, *[argument.replace("8081", str(port)) for argument in arguments]],
        env={**os.environ, "http_proxy": proxy, "HTTP_PROXY": proxy, "all_proxy": proxy},
        check=False,
        timeout=END_S,
        stderr=subprocess.DEVNULL,
    ).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (401, 1)])
def test_the_health_check_asks_the_gateway_and_no_proxy(status: int, code: int) -> None:
    """Issue 12, 29: a proxy of the environment made every container unhealthy."""
    with serving() as admin:
        admin.pages["/healthz"] = status, b"{}"

        assert check_health(admin.server_port) == code
        assert admin.asked == 1


def test_the_health_check_fails_where_nobody_listens() -> None:
    assert check_health(1) != 0
