"""How often the r-th most popular CID is asked for.

Two weeks of a public gateway (Costa, Leitão, Psaras: "Studying the workload of a fully
decentralized Web3 system: IPFS", DAIS 2023; 59 million valid requests for 4 million CIDs) do not
follow one Zipf line but a bent one: slope 0.49 for the first ranks, 0.85 in the middle, 1.20 after
it, and then a tail of CIDs that are asked for once.
"""

import math
from itertools import pairwise

_CIDS = 4_000_000
_ANCHORS = ((1, 400_000.0), (17, 100_000.0), (60_000, 100.0), (2_000_000, 1.5), (_CIDS, 1.0))
"""Rank and requests, from the figures of the paper."""


def popularity(catalogue: int) -> list[float]:
    """Return the weight of each of `catalogue` items, the most popular first.

    Ranks are scaled, so that half of the items are in the tail whatever their number; an item
    stands for as many CIDs as it takes to make four million of them.
    """
    scale = _CIDS / catalogue
    return [requests(rank * scale) for rank in range(1, catalogue + 1)]


def requests(rank: float) -> float:
    """Return the requests for the CID of a rank among `_CIDS`.

    Between the anchors it is a straight line on paper with two logarithmic scales.
    """
    for (low, above), (high, below) in pairwise(_ANCHORS):
        if rank <= high:
            place = math.log(rank / low) / math.log(high / low)
            return math.exp(math.log(above) + place * math.log(below / above))
    return _ANCHORS[-1][1]
