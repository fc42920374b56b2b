"""The retrieval side of one request.

session          blocks for one request, in the order in which its walk asks for them
dispatcher       starts fetches for one reader: which upstream, how, and what along with it
attempts         what was tried for a block, and what to try next (pure)
fetch            a request to an upstream in a task of its own; `car_fetch` reads CARs
race             several requests for one block; the first to deliver wins
stalls           streams that fall behind their own pace while a reader waits
in_flight        blocks under way, each fetched once; announce_window tells what will come
reader_buffer    blocks set aside for one reader; disk_readahead fills it from the disk
parallel_ranges  one large file from several upstreams; range_prefetch: the next slice of a film
negative_cache   what nobody has; recent_failures: what nobody could deliver a moment ago (pure)
"""
