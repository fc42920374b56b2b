"""Verified blocks kept close: memory, then the disk that all workers share, then other machines.

    tiers         TieredStore, the `gateway.ports.BlockStore` that the rest of the house sees
    memory        blocks in RAM, by the queues of `s3fifo`
    disk          DiskTier: finds and keeps without waiting for the disk in the event loop
      admission   what is written at all
      inline      the short way to blocks that are in memory, open while the disk answers at once
      presence    what is probably there, from memory
      reader_pool threads that read and hash, with `readers`
      writer      the one thread that changes the disk; takes `orders`
        flush     a batch of writes, all or nothing
        eviction  room for them, the longest unused first
        future    uses that were noted while the clock was ahead
        midpoint  where in the order of use new blocks begin
        scan      files and index brought together, in small steps
      folder      whose the directory is: ours, or nothing is touched
      files       large blocks, a file each; `temporary` ones until they are whole
      index       small blocks, sizes and last use, in SQLite; its `schema`; its `handle`
      quarantine  damaged things, out of the way
      tags        the key of the tags, which prove in less time what a CID proves
      scrub       every block hashed again
      locks       between processes
    shared        SharedTier: `remote` Redis and bucket, left alone when they fail
    keeper        CacheKeeper: what operators order; `purge` and `pins` are jobs of the writer
    policies      models of all these, for replaying logs

Blocks are keyed by multihash: every CID of the same bytes shares one entry. Nothing that is read
from a disk or another machine is believed: it is hashed, against the CID or with the tag, before it
becomes a `Block`.
"""
