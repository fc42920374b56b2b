"""Entity tags of answers.

A tag is strong where the CID determines the bytes, and weak where another implementation may write
other bytes. It contains the CID in the version of the DAG: a CIDv0 stays `Qm...`.
"""

import hashlib

from gateway.content.cid import Cid
from gateway.content.entry_name import encode_name
from gateway.protocol.car import CarParams
from gateway.protocol.formats import ResponseFormat


def file_etag(cid: Cid) -> bytes:
    """Return the tag of a file or symlink, or of a directory that is served as its index.html."""
    return f'"{cid}"'.encode("ascii")


def block_etag(cid: Cid, format_: ResponseFormat) -> bytes:
    """Return the tag of a block's bytes in the format of the answer."""
    return f'"{cid}.{format_}"'.encode("ascii")


def preview_etag(cid: Cid, template_hash: str) -> bytes:
    """Return the tag of the preview page of a document; it changes with the template."""
    return f'"DagIndex-{template_hash}_CID-{cid}"'.encode("ascii")


def tar_etag(cid: Cid) -> bytes:
    """Return the weak tag of a TAR."""
    return f'W/"{cid}.x-tar"'.encode("ascii")


def listing_etag(cid: Cid, template_hash: str) -> bytes:
    """Return the tag of a directory listing; it changes with the template."""
    return f'"DirIndex-{template_hash}_CID-{cid}"'.encode("ascii")


def car_etag(root: Cid, path: str, car: CarParams) -> bytes:
    """Return the weak tag of a CAR; it differs by path, scope, range and duplicates."""
    asked = f"{path}\0{car.scope}\0dfs\0{car.dups}\0{car.start}\0{car.stop}"
    digest = hashlib.blake2b(encode_name(asked), digest_size=8).hexdigest()
    return f'W/"{root}.car.{digest}"'.encode("ascii")
