"""The denylist: content that is not served, in whatever form it is requested."""

from typing import Protocol

from gateway.content.cid import Cid
from gateway.content.path import AnyPath


class Denials(Protocol):
    """A denylist. Production: `gateway.guard.denylist.Denylist`."""

    def check(self, path: AnyPath) -> None:
        """Refuse a path if it is blocked; call it before any fetch.

        Raises:
            Denied: the path is blocked.
        """
        ...

    def check_block(self, cid: Cid) -> None:
        """Refuse a block if it is blocked; call it before any of its bytes is sent.

        Raises:
            Denied: the block is blocked.
        """
        ...
