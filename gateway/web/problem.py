"""Error responses: the one table from error classes to statuses, and the three forms of the body.

Browsers get a page, programs that ask for JSON get JSON, all other clients get plain text. Each
form names what was requested, the step that failed and what each upstream did; none describes the
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
    Unavailable,
    Unsupported,
    Unverifiable,
    UpstreamError,
)
from gateway.protocol.answer import NO_BODY, Answer, BodyBytes
from gateway.protocol.headers import ALLOW, CORS, NO_STORE, NOSNIFF, Header
from gateway.protocol.request import accepts_html
from gateway.web.pages.templates import PAGE_FIELDS, TEMPLATES

RETRY_AFTER_S: Final = 30  # a failed upstream gets no request for this long
MAX_DETAIL_CHARACTERS: Final = 1000  # of an error's message, which may quote the request
MAX_ATTEMPTS: Final = 16  # attempts listed in one body


class Kind(NamedTuple):
    """What the responses to all errors of one class have in common."""

    status: int
    title: str
    step: str
    """The step of the request that failed."""
    hint: str
    """What the client can do about it."""


class Problem(NamedTuple):
    """What the client may know about one error."""

    status: int
    title: str
    step: str
    hint: str
    detail: str
    cid: str
    """Empty when the error concerns no CID or name."""
    attempts: tuple[Attempt, ...]

    @property
    def is_about_a_name(self) -> bool:
        """Whether `cid` is a name or the CID of a key."""
        return self.step == _NAME_STEP

    @property
    def is_about_retrieval(self) -> bool:
        """Whether the page links to a check of the CID's providers, as Kubo's page does."""
        return bool(self.cid) and self.step in ("fetch", "verify")


_NAME_STEP: Final = "resolve the name"
_WRONG_ADDRESS: Final = "Check the address: a content path is /ipfs/{cid}/{path}."
_BLOCKED: Final = "The operator of this gateway blocks this content. Ask the operator why."
_TRY_AGAIN: Final = "Try again later."

KINDS: Final[dict[type[GatewayError], Kind]] = {
    BadPath: Kind(400, "Bad Request", "parse", _WRONG_ADDRESS),
    BadRequest: Kind(
        400, "Bad Request", "parse", "Correct or remove the part of the request that is named here."
    ),
    NoSuchPage: Kind(404, "Not Found", "parse", _WRONG_ADDRESS),
    MethodNotAllowed: Kind(405, "Method Not Allowed", "parse", "Use GET or HEAD."),
    NotAcceptable: Kind(406, "Not Acceptable", "choose a format", "Request another format."),
    NotCached: Kind(
        412,
        "Precondition Failed",
        "check the cache",
        "Send the request without only-if-cached to have the gateway fetch the content.",
    ),
    PreconditionFailed: Kind(
        412,
        "Precondition Failed",
        "check preconditions",
        "Send the request without If-Match and If-Unmodified-Since.",
    ),
    RangeNotSatisfiable: Kind(
        416,
        "Range Not Satisfiable",
        "choose a range",
        "Request a range inside the file, or send no Range.",
    ),
    Denied: Kind(410, "Gone", "admit", _BLOCKED),
    BadLabel: Kind(
        400,
        "Bad Request",
        "parse",
        "Use a path gateway (/ipfs/{cid}), or a CID with a shorter hash.",
    ),
    NameLoop: Kind(400, "Bad Request", _NAME_STEP, "Ask the owner of the name to correct it."),
    TooManyRequests: Kind(429, "Too Many Requests", "admit", _TRY_AGAIN),
    NoSuchLink: Kind(
        404, "Not Found", "resolve", "The directory is verified and has no entry of this name."
    ),
    NotTraversable: Kind(
        404,
        "Not Found",
        "resolve",
        "Shorten the path: it continues below something without entries.",
    ),
    BadIndex: Kind(
        422, "Unprocessable Content", "resolve", "Request a file of the directory by its name."
    ),
    NotArchivable: Kind(
        406, "Not Acceptable", "write the archive", "Request ?format=car, which holds any DAG."
    ),
    Unsupported: Kind(
        501, "Not Implemented", "render", "Request the block itself with ?format=raw."
    ),
    BadBlock: Kind(
        502, "Bad Gateway", "decode", "The bytes match the CID, but they are malformed content."
    ),
    BadRecord: Kind(
        502, "Bad Gateway", _NAME_STEP, "Ask the owner of the name to publish it again."
    ),
    BadRedirects: Kind(  # the specification demands 500: web-redirects-file, "Error Handling"
        500, "Internal Server Error", "redirect", "Ask the owner of the website to correct it."
    ),
    BadTarget: Kind(502, "Bad Gateway", _NAME_STEP, "Ask the owner of the name to correct it."),
    UpstreamError: Kind(502, "Bad Gateway", "fetch", _TRY_AGAIN),
    NotFound: Kind(
        404,
        "Not Found",
        "fetch",
        "No upstream has this content. Check the CID, or make sure that a node provides it.",
    ),
    Unavailable: Kind(502, "Bad Gateway", "fetch", _TRY_AGAIN),
    Unverifiable: Kind(502, "Bad Gateway", "verify", _TRY_AGAIN),
    HostUnknown: Kind(503, "Service Unavailable", _NAME_STEP, _TRY_AGAIN),
    DeadlineExceeded: Kind(504, "Gateway Timeout", "fetch", _TRY_AGAIN),
}
"""An error takes the entry of the nearest class in its method resolution order."""

_BY_LAW: Final = Kind(451, "Unavailable For Legal Reasons", "admit", _BLOCKED)
UNEXPECTED: Final = Kind(500, "Internal Server Error", "unknown", _TRY_AGAIN)
_UNEXPECTED_DETAIL: Final = "The gateway failed unexpectedly. Its log has the details."

_PAGE: Final = TEMPLATES.get_template("problem.html")
_VISIBLE: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


def find_kind(error: BaseException) -> Kind:
    """Return the entry of the table for an error; `UNEXPECTED` for other exceptions."""
    kinds = (KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)
    return next(kinds, UNEXPECTED)


def describe(error: BaseException) -> Problem:
    """Return what the client may know about an error."""
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
            Attempt(_clean(made.upstream), _clean(made.step), _clean(made.outcome))
            for made in error.attempts[:MAX_ATTEMPTS]
        )
    return Problem(*kind, _clean(detail), "" if cid is None else str(cid), attempts)


def _clean(text: str) -> str:
    """Cut a text that may quote the request or an upstream, and make it one printable line."""
    return show_bytes(text[:MAX_DETAIL_CHARACTERS].translate(_VISIBLE))


def problem_answer(error: BaseException, accept: str, *, is_head: bool = False) -> Answer:
    """Return the answer for an error.

    Args:
        error: any exception; other classes than `GatewayError` give a 500 without details.
        accept: the `Accept` field, which decides between HTML, JSON and plain text.
        is_head: whether to leave out the body.
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
        case Unavailable() | DeadlineExceeded() | UpstreamError():
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
