"""Visitors of a public gateway, for locust.

    GATEWAY_CATALOGUE=FILE locust -f benchmarks/locustfile.py --host http://127.0.0.1:8080

`python -m benchmarks.load` does it all: origin, gateway, catalogue, load and report. The mix is
that of public gateways: mostly small files that programs ask for, images, media in ranges; one
request in ten is conditional, and some ask for what does not exist or makes no sense.
"""

import hashlib
import os
import random
from itertools import accumulate
from pathlib import Path

from locust import FastHttpUser, constant_throughput, task
from locust.contrib.fasthttp import ResponseContextManager

from benchmarks.data.catalogue import Catalogue, Item, load_catalogue
from gateway.content.cid import RAW, sha256_cid

REQUESTS_PER_S = 10
"""Of each visitor: arrivals do not wait for slow answers as long as one takes below 100 ms."""
RANGE_BYTES = 1024 * 1024
"""What video players and slicing caches ask for at a time."""

_CATALOGUE: Catalogue = load_catalogue(Path(os.environ["GATEWAY_CATALOGUE"]))
_MALFORMED = (
    "/ipfs/nonsense",
    "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd",
    "/ipfs/bafkqaaa%zz",
    "/ipfs/bafkqaaa?format=car&dag-scope=some",
)
_CUMULATED = {
    id(items): list(accumulate(item.weight for item in items))
    for items in (_CATALOGUE.small, _CATALOGUE.images, _CATALOGUE.media)
}


def _choose(items: list[Item]) -> Item:
    """Choose one by its popularity."""
    return random.choices(items, cum_weights=_CUMULATED[id(items)])[0]


class Visitor(FastHttpUser):
    """One client with a connection of its own."""

    wait_time = constant_throughput(REQUESTS_PER_S)
    insecure = False

    def on_start(self) -> None:
        """Start with nothing in the browser's cache."""
        self._etags: dict[str, str] = {}

    @task(54)
    def small_file(self) -> None:
        """Ask for the metadata of a token."""
        self._get_whole(_choose(_CATALOGUE.small), "small file")

    @task(21)
    def image(self) -> None:
        """Ask for a picture."""
        self._get_whole(_choose(_CATALOGUE.images), "image")

    @task(8)
    def media_range(self) -> None:
        """Play on, or jump to somewhere else in a video."""
        item = _choose(_CATALOGUE.media)
        start = random.randrange(0, item.size, RANGE_BYTES)
        stop = min(start + RANGE_BYTES, item.size)
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        with self._get(item.path, "media range", headers) as response:
            is_right = response.status_code == 206 and len(response.content or b"") == stop - start
            _judge(response, is_right)

    @task(10)
    def conditional(self) -> None:
        """Ask whether something is still what it was."""
        if not self._etags:
            return
        path, etag = random.choice(list(self._etags.items()))
        with self._get(path, "conditional", {"If-None-Match": etag}) as response:
            _judge(response, response.status_code == 304)

    @task(1)
    def listing(self) -> None:
        """Look into a directory."""
        path = random.choice(_CATALOGUE.listings)
        with self._get(path, "listing", {"Accept": "text/html"}) as response:
            _judge(response, response.status_code == 200)

    @task(4)
    def absent(self) -> None:
        """Ask for a CID that nobody has."""
        cid = sha256_cid(RAW, hashlib.sha256(random.randbytes(8)).digest())
        with self._get(f"/ipfs/{cid}", "absent", {}) as response:
            _judge(response, response.status_code == 404)

    @task(2)
    def malformed(self) -> None:
        """Ask for something that no gateway can mean."""
        with self._get(random.choice(_MALFORMED), "malformed", {}) as response:
            _judge(response, response.status_code == 400)

    def _get_whole(self, item: Item, name: str) -> None:
        with self._get(item.path, name, {}) as response:
            is_right = response.status_code == 200 and len(response.content or b"") == item.size
            _judge(response, is_right)
            if is_right:
                self._etags[item.path] = response.headers["Etag"]

    def _get(self, path: str, name: str, headers: dict[str, str]) -> ResponseContextManager:
        return self.client.get(path, name=name, headers=headers, catch_response=True)


def _judge(response: ResponseContextManager, is_right: bool) -> None:  # noqa: FBT001 (private)
    if is_right:
        response.success()  # type: ignore[no-untyped-call]  # locust has no annotation
    else:
        told = f"{response.status_code}, {len(response.content or b'')} bytes"
        response.failure(told)  # type: ignore[no-untyped-call]  # locust has no annotation
