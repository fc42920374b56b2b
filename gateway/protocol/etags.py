"""Entity tags: what names the bytes of an answer.

Strong where the bytes follow from the CID, weak where another implementation may write them
otherwise. The CID is printed as the DAG has it: a CIDv0 stays `Qm...`.
"""

import hashlib

from gateway.content.cid import Cid
from gateway.content.entry_name import encode_name
from gateway.protocol.car import CarParams
from gateway.protocol.formats import ResponseFormat


def file_etag(cid: Cid) -> bytes:
    """Tag of a file or symlink, or of a directory that its index.html stands for."""
    return f'"{cid}"'.encode("ascii")


def block_etag(cid: Cid, format_: ResponseFormat) -> bytes:
    """Tag of a block's bytes, as the format that they are sent in."""
    return f'"{cid}.{format_}"'.encode("ascii")


def preview_etag(cid: Cid, template_hash: str) -> bytes:
    """Tag of the page that shows a document; changes with the template."""
    return f'"DagIndex-{template_hash}_CID-{cid}"'.encode("ascii")


def tar_etag(cid: Cid) -> bytes:
    """Weak tag of a TAR."""
    return f'W/"{cid}.x-tar"'.encode("ascii")


def listing_etag(cid: Cid, template_hash: str) -> bytes:
    """Tag of a generated listing; changes with the template."""
    return f'"DirIndex-{template_hash}_CID-{cid}"'.encode("ascii")


def car_etag(root: Cid, path: str, car: CarParams) -> bytes:
    """Weak tag of a CAR; differs for every path, scope, range and order."""
    asked = f"{path}\0{car.scope}\0dfs\0{car.dups}\0{car.start}\0{car.stop}"
    digest = hashlib.blake2b(encode_name(asked), digest_size=8).hexdigest()
    return f'W/"{root}.car.{digest}"'.encode("ascii")
