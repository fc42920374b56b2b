"""The gateways of the cold benchmark fetch what they should, from where they should."""

from pathlib import Path

import pytest

from benchmarks.rig.fetched import Size, fetch_file
from benchmarks.rig.fetchers import KUBO_BLOCKS, PLAIN, running_fetchers, running_origin
from benchmarks.rig.harness import ipfs
from benchmarks.rig.link import Shape
from tests.integration.conftest import peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SIZE = Size("2 MB", 2_000_000, 1)


def test_a_second_kubo_has_the_first_behind_a_link_as_its_only_peer(tmp_path: Path) -> None:
    with (
        peers_or_skip(),
        running_origin(tmp_path, [SIZE]) as origin,
        running_fetchers(tmp_path, origin, Shape(1, 1000), with_rainbow=False) as urls,
    ):
        for url in (urls[PLAIN], urls[KUBO_BLOCKS]):
            fetch_file(url, origin.root, SIZE.names[0], SIZE)  # it compares the bytes
        (peer,) = ipfs("swarm", "peers", folder=tmp_path / "near").splitlines()
        assert peer.endswith(origin.peer)
        assert f"/tcp/{origin.swarm_port}/" not in peer
