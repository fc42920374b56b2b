"""IPFS bytes to values and back: pure, no I/O, no clock.

Bottom up: varint, multibase, multihash, cid, block, path; dag_pb, unixfs, hamt; walk, car; build.
"""
