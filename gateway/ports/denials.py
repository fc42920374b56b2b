"""What is not served, whatever it is asked for as."""

from typing import Protocol

from gateway.content.cid import Cid
from gateway.content.path import AnyPath


class Denials(Protocol):
    """Production: `gateway.guard.denylist.Denylist`."""

    def check(self, path: AnyPath) -> None:
        """Ask about a path, before anything is fetched for it.

        Raises:
            Denied: it is blocked.
        """
        ...

    def check_block(self, cid: Cid) -> None:
        """Ask about one block, before anything of it is sent.

        Raises:
            Denied: it is blocked.
        """
        ...
