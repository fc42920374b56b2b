"""Verified blocks kept close: memory first, then the disk that all workers share.

    tiers       TieredStore, the `gateway.ports.BlockStore` that the rest of the house sees
    memory      blocks in RAM, S3-FIFO by bytes
    disk        DiskTier: finds and keeps without blocking the event loop
      readers   threads that read and hash
      writer    one thread that writes, evicts and scans
      scan      files and index brought together, in small steps
      files     large blocks, a file each
      index     small blocks, sizes and last use, in SQLite; `handle` opens and replaces it
      quarantine, locks, presence, outcome

Blocks are keyed by multihash: every CID of the same bytes shares one entry. Nothing that is read
from the disk is believed: each read is hashed against the CID before it becomes a `Block`.
"""
