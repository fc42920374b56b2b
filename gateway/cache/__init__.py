"""Verified blocks kept close: memory first, then the disk that all workers share.

    tiers         TieredStore, the `gateway.ports.BlockStore` that the rest of the house sees
    memory        blocks in RAM, S3-FIFO by bytes
    disk          DiskTier: finds and keeps without ever blocking the event loop
      presence    what is probably there, from memory
      readers     threads that read and hash
      writer      the one thread that changes the disk; takes `orders`
        flush     a batch of writes, all or nothing
        eviction  room for them, the longest unused first
        scan      files and index brought together, in small steps
      files       large blocks, a file each; `temporary` ones until they are whole
      index       small blocks, sizes and last use, in SQLite; its `schema`; its `handle`
      quarantine  damaged things, out of the way
      locks       between processes

Blocks are keyed by multihash: every CID of the same bytes shares one entry. Nothing that is read
from the disk is believed: each read is hashed against the CID before it becomes a `Block`.
"""
