"""Applies the denylist to every path and block of one request."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from gateway.content.car_walk import Path
from gateway.content.cid import Cid
from gateway.content.named_links import NamedLink
from gateway.content.path import ContentPath, MutablePath
from gateway.ports import Denials, Hop

MAX_LINKS_AHEAD: Final = 512
"""Links of a directory that are checked before the head of its CAR or TAR is sent; the others are
checked when they are reached. A check takes about 10 us, among a million double hashes 20 us."""


class PathGate:
    """Checks every path of a request against the denylist, where it becomes content.

    An answer may hold more paths than the requested one: `index.html`, the pages of `_redirects`
    and the files in a CAR or TAR have paths of their own.

    Args:
        denials: the denylist.
        hops: the names that led to the root of the content, below which all paths are.
    """

    __slots__ = ("_denials", "_hops", "_last")

    def __init__(self, denials: Denials, hops: tuple[Hop, ...] = ()) -> None:
        self._denials = denials
        self._hops = hops
        self._last: ContentPath | None = None

    def check(self, path: ContentPath) -> None:
        """Check a path below the root, under the root and under each name that led to it.

        Raises:
            Denied: the path is blocked.
        """
        if path is self._last:
            return
        self._denials.check(path)
        for hop in self._hops:
            above = len(hop.above)
            if path.segments[:above] == hop.above:
                self._denials.check(MutablePath(hop.name, path.segments[above:]))
        self._last = path

    def check_links(self, path: ContentPath, links: Iterable[NamedLink]) -> None:
        """Check the first links of the directory at `path`.

        Raises:
            Denied: one of them is blocked.
        """
        for link in islice(links, MAX_LINKS_AHEAD):
            self.check_below(path, link.path)

    def check_below(self, path: ContentPath, names: Path) -> None:
        """Check the path that continues `path` with `names`.

        Raises:
            Denied: the path is blocked.
        """
        if names:
            self.check(path.below(*names))

    def check_block(self, cid: Cid) -> None:
        """Check one block, before anything of it is used.

        Raises:
            Denied: the block is blocked.
        """
        self._denials.check_block(cid)
