"""IPFS bytes to values and back: pure, no I/O, no clock.

From the bottom up:

varint, multibase, multihash, cid   content identifiers; names: IPNS keys and domains
block        bytes that match their CID; ipns: records that match their key
path         content paths; entry_name: names that keep every byte
dag_pb, dag_cbor, dag_json          the codecs, on protobuf and cbor; ipld, document: their values
unixfs       files, directories, HAMT shards (hamt) and symlinks in blocks; build: written
walk         generators that ask for blocks: resolve (paths), read (files), listing (directories),
             car_walk (CAR responses), tar (archives)
car          CAR streams, read and written
deny_rules   denylists; deny_table: all their rules
effort       estimates how long a block takes to decode; memo: keeps results
"""
