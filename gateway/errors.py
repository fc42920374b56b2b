"""Every error that the gateway raises on purpose.

    GatewayError
    +-- ClientError             the request is at fault; never retried
    |   +-- BadPath             not a content path
    |   |   +-- BadCid          a CID, multihash, multibase text or varint that is not valid
    |   +-- BadRequest          parameters or headers that cannot be understood
    |   +-- NotAcceptable       a format that does not fit the content
    |   +-- MethodNotAllowed
    |   +-- NoSuchPage          not a path that this host serves
    |   +-- NotCached           only-if-cached, and it is not
    |   +-- PreconditionFailed
    |   +-- RangeNotSatisfiable
    |   +-- TooManyRequests     over a limit of this client or of the process
    |   +-- Denied              on a denylist of this gateway
    |   +-- BadLabel            a root that does not fit into a host name
    |   +-- NameLoop            names that point to names, without an end
    +-- ContentError            verified bytes that do not make sense; nobody's retry helps
    |   +-- BadBlock            a block that its codec does not allow
    |   +-- NoSuchLink          proven absent: the verified directory has no such name
    |   +-- NotTraversable      the path goes into something that has no children
    |   +-- BadIndex            index.html is there, but is not a file
    |   +-- NotArchivable       something that a TAR cannot hold, or must not
    |   +-- Unsupported         valid, but not something this gateway renders
    |   +-- BadRecord           an IPNS record that is not valid
    |   +-- BadRedirects        a website's _redirects file that is not valid
    |   +-- BadTarget           a name that points to something that is not a content path
    +-- UpstreamError           an upstream is at fault; the next one may do better
    |   +-- BlockMismatch       bytes whose hash is not the one in the CID
    |   +-- BadCar              a CAR stream that cannot be read
    |   +-- IncompleteCar       a CAR stream that ended before all had come
    |   +-- UpstreamRefused     a status, type or framing that we do not take
    |   +-- UpstreamSilent      too slow, or nothing at all, within its time
    |   +-- UpstreamUnreachable no connection, or a connection that broke
    |   +-- BlockAbsent         the upstream says that it does not have it
    |   +-- NameUnresolved      no valid IPNS record: the name may be at fault, not the upstream
    +-- RetrievalError          all upstreams were tried
    |   +-- NotFound            every upstream said that it does not have it
    |   +-- Unavailable         upstreams failed, or may not be asked now
    |   |   +-- Unverifiable    and something that came does not verify
    |   +-- DeadlineExceeded    time ran out
    |   +-- HostUnknown         whether a host is a website cannot be found out now
    +-- OperatorError           the operator can mend it
        +-- BadSetting          one wrong key or value; the program does not start
        +-- BadSettings         all that is wrong in a configuration
        +-- CannotStart         the configuration is right, but this machine does not allow it
        +-- CacheUnavailable    an order that the cache cannot carry out now
            +-- PinsFull        the pins would fill more than their part of the disk tier

`ClientError` and `ContentError` are final. `gateway.web.problem` turns classes into statuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Blame(StrEnum):
    """Whose fault an error is."""

    CLIENT = "client"
    CONTENT = "content"
    UPSTREAM = "upstream"
    OPERATOR = "operator"


class GatewayError(Exception):
    """The root; never raised itself."""

    blame: Blame = Blame.CLIENT
    retryable: bool = False


class ClientError(GatewayError):
    """The request is at fault."""


class BadPath(ClientError):
    """A text that is not a content path."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'invalid path "{path}": {reason}')
        self.path, self.reason = path, reason


class BadCid(BadPath):
    """A CID, or a part of one, that is not valid."""

    def __init__(self, reason: str) -> None:
        super(BadPath, self).__init__(f"invalid CID: {reason}")
        self.path, self.reason = "", reason


class BadRequest(ClientError):
    """Parameters or headers that cannot be understood."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class NotAcceptable(ClientError):
    """A format that does not fit the content."""


class MethodNotAllowed(ClientError):
    """A method that a read-only gateway does not have."""

    def __init__(self, method: str) -> None:
        super().__init__(f"method {method[:20]!r} is not allowed: this gateway reads only")


class NoSuchPage(ClientError):
    """A path that is neither content nor a page of the gateway."""

    def __init__(self, path: str) -> None:
        super().__init__(f'there is nothing at "{path}": content is at /ipfs/{{cid}}')
        self.path = path


class NotCached(ClientError):
    """`Cache-Control: only-if-cached`, and not all that the answer needs is here."""

    def __init__(self, cid: object) -> None:
        super().__init__(f"{cid} is not in the cache, and the request is only for what is")
        self.cid = cid


class PreconditionFailed(ClientError):
    """`If-Match` or `If-Unmodified-Since` does not hold."""

    def __init__(self, etag: str) -> None:
        super().__init__(f"the precondition does not hold: the content is {etag}")


class RangeNotSatisfiable(ClientError):
    """Nothing of the range is in the file."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the range is outside of the {size_bytes} bytes that there are")
        self.size_bytes = size_bytes


class TooManyRequests(ClientError):
    """Over a limit of this client or of the process."""

    def __init__(
        self, reason: str, retry_after_s: int, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.retry_after_s, self.fields = retry_after_s, dict(fields or {})


class Denied(ClientError):
    """On a denylist of this gateway; `where` is the rule, for the log and not for the client."""

    def __init__(self, subject: str, reason: str, where: str, *, is_by_law: bool = False) -> None:
        super().__init__(f"{subject} is blocked on this gateway{reason and f': {reason}'}")
        self.where, self.is_by_law = where, is_by_law


class BadLabel(ClientError):
    """A root or a name that does not fit into a host name."""


class NameLoop(ClientError):
    """Names that point to names, and never to content."""

    def __init__(self, name: object, hops: int) -> None:
        super().__init__(f"{name} does not lead to content in {hops} hops")
        self.name = name


class ContentError(GatewayError):
    """Verified bytes that do not make sense."""

    blame = Blame.CONTENT


class BadBlock(ContentError):
    """A block that its codec's specification does not allow."""

    def __init__(self, codec: str, reason: str, cid: object = None) -> None:
        where = f" in block {cid}" if cid is not None else ""
        super().__init__(f"malformed {codec}{where}: {reason}")
        self.codec, self.reason, self.cid = codec, reason, cid


class NoSuchLink(ContentError):
    """A name that a verified directory does not have."""

    def __init__(self, name: str, cid: object) -> None:
        super().__init__(f'no link named "{name}" under {cid}')
        self.name, self.cid = name, cid


class NotTraversable(ContentError):
    """A path that goes on after something that has no children."""

    def __init__(self, name: str, cid: object, kind: str) -> None:
        super().__init__(f'cannot resolve "{name}": {cid} is a {kind}, not a directory')
        self.cid = cid


class BadIndex(ContentError):
    """A directory whose index.html is not a file."""

    def __init__(self, cid: object) -> None:
        super().__init__(f"index.html of {cid} is not a file")
        self.cid = cid


class NotArchivable(ContentError):
    """Something that a TAR cannot hold, or must not."""

    def __init__(self, path: str, reason: str, cid: object = None) -> None:
        super().__init__(f'no TAR can be made with "{path[:1000]}": {reason}')
        self.cid = cid


class Unsupported(ContentError):
    """Valid content that this gateway does not render."""


class BadRecord(ContentError):
    """An IPNS record that is not valid, or not one of its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a valid IPNS record: {reason}")


class BadRedirects(ContentError):
    """A website's `_redirects` file that is not valid."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"could not parse _redirects: {reason}")


class BadTarget(ContentError):
    """What a name points to is not a content path."""

    def __init__(self, name: object, reason: str) -> None:
        super().__init__(f"{name} points to something that is not a content path: {reason}")
        self.name = name


class UpstreamError(GatewayError):
    """An upstream is at fault."""

    blame = Blame.UPSTREAM
    retryable = True

    def __init__(self, upstream: str, reason: str) -> None:
        super().__init__(f"{upstream} {reason}")
        self.upstream, self.reason = upstream, reason


class BlockMismatch(UpstreamError):
    """Bytes whose hash is not the one in the CID."""

    def __init__(self, cid: object, upstream: str) -> None:
        super().__init__(upstream, f"sent bytes that do not match {cid}")
        self.cid = cid


class BadCar(UpstreamError):
    """A CAR stream that cannot be read."""

    def __init__(self, reason: str, upstream: str = "the CAR stream") -> None:
        super().__init__(upstream, f"is not a usable CAR: {reason}")
        self.detail = reason


class IncompleteCar(UpstreamError):
    """A CAR stream that ended before all that was asked for had come."""

    def __init__(self, upstream: str, cid: object, *, is_cut: bool = False) -> None:
        super().__init__(upstream, f"ended the CAR before {cid}")
        self.cid, self.is_cut = cid, is_cut  # is_cut: the connection broke between its blocks


class UpstreamRefused(UpstreamError):
    """A status, content type, encoding or framing that we do not take."""

    def __init__(
        self, upstream: str, reason: str, status: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__(upstream, reason)
        self.status, self.retry_after_s = status, retry_after_s


class UpstreamSilent(UpstreamError):
    """Too slow, or nothing at all, within its time."""


class UpstreamUnreachable(UpstreamError):
    """No connection, or a connection that broke."""


class BlockAbsent(UpstreamError):
    """The upstream answered that it does not have the block."""

    def __init__(self, upstream: str, cid: object) -> None:
        super().__init__(upstream, f"does not have {cid}")
        self.cid = cid


class NameUnresolved(UpstreamError):
    """No record that is valid: as likely the fault of the name, so not counted against anybody."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one upstream did when it was asked."""

    upstream: str
    step: str
    """`car`, `raw`, `record` or `txt`."""
    outcome: str
    """The failure in words."""


class RetrievalError(GatewayError):
    """All upstreams that may be asked were asked."""

    blame = Blame.UPSTREAM
    summary = "could not be retrieved"

    def __init__(self, cid: object, attempts: Sequence[Attempt]) -> None:
        told = "; ".join(f"{a.upstream} ({a.step}): {a.outcome}" for a in attempts)
        super().__init__(f"{cid} {self.summary}" + (f" [{told}]" if told else ""))
        self.cid, self.attempts = cid, tuple(attempts)


class NotFound(RetrievalError):
    """Every upstream said that it does not have it."""

    summary = "was not found on any upstream"


class Unavailable(RetrievalError):
    """Upstreams failed, or may not be asked now: it is not known whether they have it."""

    summary = "could not be had from any upstream"


class Unverifiable(Unavailable):
    """Upstreams failed, and something that came does not verify."""

    summary = "could not be had in a form that verifies"


class DeadlineExceeded(RetrievalError):
    """Time ran out."""

    summary = "was not delivered in time"


class HostUnknown(RetrievalError):
    """Nobody can say now whether a host is the website of its domain, with an origin of its own."""

    summary = "may be a website of its own, which cannot be found out now"
    retry_after_s = 5  # for as long a domain that the DNS failed for is not asked about again


class OperatorError(GatewayError):
    """The operator can mend it."""

    blame = Blame.OPERATOR


class BadSetting(OperatorError):
    """A wrong key or value in the configuration."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key, self.reason = key, reason


class BadSettings(OperatorError):
    """Everything that is wrong in a configuration, so that it is mended in one go."""

    def __init__(self, problems: Sequence[BadSetting]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class CacheUnavailable(OperatorError):
    """An operator's order that the cache cannot carry out now."""


class PinsFull(CacheUnavailable):
    """The pins would fill more than their part of the disk tier."""

    def __init__(self, share: float) -> None:
        super().__init__(f"the pins would fill more than {share:.0%} of cache.disk_size")


class CannotStart(OperatorError):
    """A valid configuration that this machine does not allow: an address in use, for one."""
