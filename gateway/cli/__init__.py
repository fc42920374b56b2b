"""The commands of `ipfs-gateway`.

Exit codes: 0 done, 1 this machine or the other side does not allow it, 2 the configuration or
the command line is wrong.
"""

from gateway.cli.main import app, main

__all__ = ["app", "main"]
