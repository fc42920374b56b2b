"""IPFS bytes to values and back: pure, no I/O, no clock.

Bottom up: varint, multibase, multihash, cid, block, path; protobuf, cbor; dag_pb, dag_cbor,
dag_json; hamt, unixfs_message, memo, unixfs; walk, then the walks: resolve, read, listing,
car_walk; car_header, car; build.
"""
