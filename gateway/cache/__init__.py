"""Verified blocks kept close: memory, then the disk that all workers share, then other machines.

    tiered_store   TieredStore, the `gateway.ports.BlockStore` that the rest of the house sees
    memory         blocks in RAM
    disk           blocks in files and SQLite, shared by all processes on the machine
    shared         Redis and an S3 bucket, shared by machines; left alone when they fail
    control        what operators order: purge, pins
    states         words and figures that the tiers share
    policies       models of the tiers, for replaying logs

Blocks are keyed by multihash: every CID of the same bytes shares one entry. Nothing that is read
from a disk or another machine is believed: it is hashed, against the CID or with the tag, before it
becomes a `Block`.
"""
