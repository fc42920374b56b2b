"""The disk tier: blocks that survive a restart, shared by all processes on the machine.

tier             DiskTier: finds and keeps without waiting for the disk in the event loop
admission        what is written at all; presence_filter: what is probably there
inline_reader    reads in the event loop while the page cache answers; reader_pool in threads
reader           one read: bytes, then the hash or the tag (tags)
writer           the one thread that changes the disk; takes `commands`, in write_batch
eviction         room for new blocks, the longest unused first; midpoint: where new ones begin
footprint        what is not blocks, and so how much blocks may take
files            large blocks, a file each; temporary until they are whole; folder: whose it is
index            small blocks, sizes, last use in SQLite; schema, index_handle, future_uses
scan, scrub      files and index brought together; every block hashed again
purge, pins      jobs of the writer; quarantine: damaged things; file_lock: between processes
"""
