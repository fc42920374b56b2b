"""Errors as answers: the one table from classes to statuses, and what is told to whom.

Browsers get a page, programs that ask for JSON get JSON, everybody else plain text. All name what
was asked for, the step that failed and what each upstream did; none says anything about the
inside of the gateway.
"""

from typing import Final, NamedTuple

import orjson

from gateway.content.cid import LIBP2P_KEY, Cid
from gateway.content.entry_name import show_bytes
from gateway.errors import (
    Attempt,
    BadBlock,
    BadIndex,
    BadLabel,
    BadPath,
    BadRecord,
    BadRedirects,
    BadRequest,
    BadTarget,
    DeadlineExceeded,
    Denied,
    GatewayError,
    HostUnknown,
    MethodNotAllowed,
    NameLoop,
    NoSuchLink,
    NoSuchPage,
    NotAcceptable,
    NotArchivable,
    NotCached,
    NotFound,
    NotTraversable,
    PreconditionFailed,
    RangeNotSatisfiable,
    RetrievalError,
    TooManyRequests,
    Unsupported,
    Unverifiable,
    UpstreamError,
)
from gateway.protocol.answer import NO_BODY, Answer, BodyBytes
from gateway.protocol.headers import ALLOW, CORS, NO_STORE, NOSNIFF, Header
from gateway.protocol.request import accepts_html
from gateway.web.pages.templates import PAGE_FIELDS, TEMPLATES

RETRY_AFTER_S: Final = 30  # for as long an upstream that failed is left alone
MAX_DETAIL_CHARACTERS: Final = 1000  # of an error's own sentence, which may quote the request
MAX_ATTEMPTS: Final = 16  # upstreams named in one body


class Kind(NamedTuple):
    """What is said of all errors of a class."""

    status: int
    title: str
    step: str
    """Where in the life of a request it went wrong."""
    hint: str
    """What the reader can do."""


class Problem(NamedTuple):
    """An error as it is told to the client."""

    status: int
    title: str
    step: str
    hint: str
    detail: str
    cid: str
    """Empty when the error is not about one."""
    attempts: tuple[Attempt, ...]

    @property
    def is_about_a_name(self) -> bool:
        """Whether `cid` is a name or the CID of a key."""
        return self.step == _NAME_STEP

    @property
    def is_about_retrieval(self) -> bool:
        """Whether it helps to know who in the network has the content, as Kubo's page says, too."""
        return bool(self.cid) and self.step in ("fetch", "verify")


_NAME_STEP: Final = "resolve the name"
_WRONG_ADDRESS: Final = "Check the address: content is at /ipfs/{cid} with names after it."
_BLOCKED: Final = "Its operator does not serve it. Ask the operator why."
_TRY_AGAIN: Final = "Try again in a little while."

KINDS: Final[dict[type[GatewayError], Kind]] = {
    BadPath: Kind(400, "Bad Request", "parse", _WRONG_ADDRESS),
    BadRequest: Kind(400, "Bad Request", "parse", "Change what it names, or leave it out."),
    NoSuchPage: Kind(404, "Not Found", "parse", _WRONG_ADDRESS),
    MethodNotAllowed: Kind(405, "Method Not Allowed", "parse", "Use GET or HEAD."),
    NotAcceptable: Kind(406, "Not Acceptable", "choose a format", "Ask for another format."),
    NotCached: Kind(
        412, "Precondition Failed", "look into the cache", "Ask without only-if-cached to fetch it."
    ),
    PreconditionFailed: Kind(
        412, "Precondition Failed", "check preconditions", "Ask without the precondition."
    ),
    RangeNotSatisfiable: Kind(
        416, "Range Not Satisfiable", "choose a range", "Ask for a range inside, or for no range."
    ),
    Denied: Kind(410, "Gone", "admit", _BLOCKED),
    BadLabel: Kind(
        400, "Bad Request", "parse", "Use a gateway without subdomains, or a shorter hash."
    ),
    NameLoop: Kind(400, "Bad Request", _NAME_STEP, "Ask the owner of the name to mend it."),
    TooManyRequests: Kind(429, "Too Many Requests", "admit", _TRY_AGAIN),
    NoSuchLink: Kind(
        404, "Not Found", "resolve", "The directory was verified: it has no such name."
    ),
    NotTraversable: Kind(
        404, "Not Found", "resolve", "The path goes on after its end: shorten it."
    ),
    BadIndex: Kind(
        422, "Unprocessable Content", "resolve", "Ask for another name in the directory."
    ),
    NotArchivable: Kind(
        406, "Not Acceptable", "write the archive", "Ask for ?format=car, which can hold anything."
    ),
    Unsupported: Kind(
        501, "Not Implemented", "render", "Ask for the block itself with ?format=raw."
    ),
    BadBlock: Kind(
        502, "Bad Gateway", "decode", "The content is what its CID says, but is broken in itself."
    ),
    BadRecord: Kind(
        502, "Bad Gateway", _NAME_STEP, "Ask the owner of the name to publish it again."
    ),
    BadRedirects: Kind(  # 500 is the specification's word: web-redirects-file, "Error Handling"
        500, "Internal Server Error", "redirect", "Ask the owner of the website to mend it."
    ),
    BadTarget: Kind(502, "Bad Gateway", _NAME_STEP, "Ask the owner of the name to mend it."),
    UpstreamError: Kind(502, "Bad Gateway", "fetch", _TRY_AGAIN),
    NotFound: Kind(
        404, "Not Found", "fetch", "Nobody who was asked has it. Check the CID, or provide it."
    ),
    Unverifiable: Kind(502, "Bad Gateway", "verify", _TRY_AGAIN),
    HostUnknown: Kind(503, "Service Unavailable", _NAME_STEP, _TRY_AGAIN),
    DeadlineExceeded: Kind(504, "Gateway Timeout", "fetch", _TRY_AGAIN),
}
"""The nearest class in an error's ancestry counts."""

_BY_LAW: Final = Kind(451, "Unavailable For Legal Reasons", "admit", _BLOCKED)
UNEXPECTED: Final = Kind(500, "Internal Server Error", "unknown", _TRY_AGAIN)
_UNEXPECTED_DETAIL: Final = "The gateway made a mistake. It is in its log."

_PAGE: Final = TEMPLATES.get_template("problem.html")
_VISIBLE: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


def find_kind(error: BaseException) -> Kind:
    """Return what is said of errors of this class; `UNEXPECTED` for those that are not ours."""
    kinds = (KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)
    return next(kinds, UNEXPECTED)


def describe(error: BaseException) -> Problem:
    """Return what the client is told of an error."""
    kind = find_kind(error)
    if kind is UNEXPECTED:
        return Problem(*kind, _UNEXPECTED_DETAIL, "", ())
    cid = getattr(error, "cid", None)
    attempts: tuple[Attempt, ...] = ()
    detail = str(error)
    if isinstance(error, Denied) and error.is_by_law:
        kind = _BY_LAW
    if isinstance(error, RetrievalError):
        detail = f"{error.cid} {error.summary}"
        if not isinstance(cid, Cid) or cid.codec == LIBP2P_KEY:
            kind = kind._replace(step=_NAME_STEP)
        attempts = tuple(
            Attempt(_clean(told.upstream), _clean(told.step), _clean(told.outcome))
            for told in error.attempts[:MAX_ATTEMPTS]
        )
    return Problem(*kind, _clean(detail), "" if cid is None else str(cid), attempts)


def _clean(text: str) -> str:
    """Cut a text that may quote the request or an upstream; nothing in it ends a line."""
    return show_bytes(text[:MAX_DETAIL_CHARACTERS].translate(_VISIBLE))


def problem_answer(error: BaseException, accept: str, *, is_head: bool = False) -> Answer:
    """Return the answer for an error.

    Args:
        error: any; those that are not a `GatewayError` give 500 and say nothing.
        accept: the `Accept` field, which decides between HTML, JSON and plain text.
        is_head: whether the body is left out.
    """
    problem = describe(error)
    content_type, body = _render(problem, accept)
    headers = (
        *CORS,
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", NO_STORE),
        NOSNIFF,
        *PAGE_FIELDS,
        *_own_fields(error),
    )
    return Answer(problem.status, headers, NO_BODY if is_head else BodyBytes(body))


def _own_fields(error: BaseException) -> tuple[Header, ...]:
    match error:
        case MethodNotAllowed():
            return (ALLOW,)
        case RangeNotSatisfiable():
            return ((b"content-range", b"bytes */%d" % error.size_bytes),)
        case TooManyRequests() | HostUnknown():
            return ((b"retry-after", b"%d" % error.retry_after_s),)
        case Unverifiable() | DeadlineExceeded() | UpstreamError():
            return ((b"retry-after", b"%d" % RETRY_AFTER_S),)
        case _:
            return ()


def _render(problem: Problem, accept: str) -> tuple[bytes, bytes]:
    if accepts_html(accept):
        return b"text/html; charset=utf-8", _PAGE.render(problem=problem).encode()
    if "json" in accept.lower():
        return b"application/json", _render_json(problem)
    return b"text/plain; charset=utf-8", _render_text(problem).encode()


def _render_json(problem: Problem) -> bytes:
    fields = problem._asdict()
    fields["attempts"] = problem.attempts  # frozen dataclasses; orjson writes them as objects
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _render_text(problem: Problem) -> str:
    lines = [f"{problem.status} {problem.title}: {problem.detail}", problem.hint, ""]
    if problem.cid:
        lines.append(f"cid: {problem.cid}")
    lines.append(f"step: {problem.step}")
    lines += [f"upstream {a.upstream} ({a.step}): {a.outcome}" for a in problem.attempts]
    return "\n".join(lines) + "\n"
