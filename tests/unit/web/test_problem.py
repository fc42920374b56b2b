import json

import pytest

from gateway.content.cid import parse_cid
from gateway.content.names import parse_key
from gateway.errors import (
    Attempt,
    BadBlock,
    BadCid,
    BadIndex,
    BadPath,
    BadRecord,
    BadRequest,
    BadSetting,
    BadTarget,
    Blame,
    BlockAbsent,
    DeadlineExceeded,
    Denied,
    GatewayError,
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
    TooManyRequests,
    Unavailable,
    Unsupported,
    Unverifiable,
)
from gateway.protocol.answer import NO_BODY, Answer, BodyBytes
from gateway.protocol.headers import CORS
from gateway.web.problem import (
    MAX_ATTEMPTS,
    MAX_DETAIL_CHARACTERS,
    UNEXPECTED,
    describe,
    find_kind,
    problem_answer,
)
from tests.fakes.gateway_requests import HELLO
from tests.fakes.html import Page

CID = parse_cid(HELLO)
KEY = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"
ATTEMPTS = (
    Attempt("stockholm-1", "car", "sent bytes that do not match"),
    Attempt("public-1", "raw", "answered 429"),
)
ERRORS = [
    pytest.param(BadPath("/ipfs/Qm", "x"), 400, id="bad-path"),
    pytest.param(BadCid("x"), 400, id="bad-cid"),
    pytest.param(BadRequest("dag-scope", "x"), 400, id="bad-request"),
    pytest.param(NoSuchPage("/x"), 404, id="no-such-page"),
    pytest.param(Denied("/ipfs/Qm", "", "a:1"), 410, id="denied"),
    pytest.param(Denied("/ipfs/Qm", "x", "a:1", is_by_law=True), 451, id="denied-by-law"),
    pytest.param(MethodNotAllowed("PUT"), 405, id="method"),
    pytest.param(NotAcceptable("x"), 406, id="not-acceptable"),
    pytest.param(NotCached(CID), 412, id="not-cached"),
    pytest.param(PreconditionFailed('"x"'), 412, id="precondition"),
    pytest.param(RangeNotSatisfiable(7), 416, id="range"),
    pytest.param(TooManyRequests("slow down", 9), 429, id="too-many-requests"),
    pytest.param(NameLoop("example.com", 32), 400, id="name-loop"),
    pytest.param(BadRecord("x"), 502, id="bad-record"),
    pytest.param(BadTarget("example.com", "x"), 502, id="bad-target"),
    pytest.param(NoSuchLink("a", CID), 404, id="no-such-link"),
    pytest.param(NotTraversable("a", CID, "file"), 404, id="not-traversable"),
    pytest.param(BadIndex(CID), 422, id="bad-index"),
    pytest.param(NotArchivable("a/..", "x", CID), 406, id="not-archivable"),
    pytest.param(Unsupported("x"), 501, id="unsupported"),
    pytest.param(BadBlock("dag-pb", "x", CID), 502, id="bad-block"),
    pytest.param(BlockAbsent("up", CID), 502, id="upstream"),
    pytest.param(NotFound(CID, ATTEMPTS), 404, id="not-found"),
    pytest.param(Unavailable(CID, ATTEMPTS), 502, id="unavailable"),
    pytest.param(Unverifiable(CID, ATTEMPTS), 502, id="unverifiable"),
    pytest.param(DeadlineExceeded(CID, ATTEMPTS), 504, id="deadline"),
    pytest.param(BadSetting("cache", "x"), 500, id="setting"),
    pytest.param(ZeroDivisionError("secret /etc/passwd"), 500, id="unexpected"),
]


def body_of(answer: Answer) -> str:
    assert isinstance(answer.body, BodyBytes)
    return answer.body.data.decode()


def all_errors(base: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [base, *[cls for child in base.__subclasses__() for cls in all_errors(child)]]


CONCRETE = [cls for cls in all_errors() if not cls.__subclasses__()]


@pytest.mark.parametrize("cls", CONCRETE, ids=lambda cls: cls.__name__)
def test_every_error_that_a_client_can_meet_has_a_status(cls: type[GatewayError]) -> None:
    is_known = find_kind(cls.__new__(cls)) is not UNEXPECTED
    assert is_known == (cls.blame is not Blame.OPERATOR)


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_status(error: Exception, status: int) -> None:
    assert problem_answer(error, "").status == status


@pytest.mark.parametrize(("error", "status"), ERRORS)
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("text/html,*/*;q=0.8", b"text/html; charset=utf-8", id="browser"),
        pytest.param("*/*", b"text/plain; charset=utf-8", id="anything"),
        pytest.param("", b"text/plain; charset=utf-8", id="nothing"),
        pytest.param("application/json", b"application/json", id="json"),
        pytest.param("application/json, text/html", b"text/html; charset=utf-8", id="both"),
    ],
)
def test_every_error_in_every_form(
    error: Exception, status: int, accept: str, content_type: bytes
) -> None:
    answer = problem_answer(error, accept)
    fields = dict(answer.headers)
    assert fields[b"content-type"] == content_type
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert fields[b"content-security-policy"].startswith(b"default-src 'none'; ")
    assert fields[b"content-length"] == str(len(body_of(answer).encode())).encode()
    assert b"etag" not in fields
    assert set(CORS) <= set(answer.headers)
    assert str(status) in body_of(answer)


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_head_has_the_headers_and_no_body(error: Exception, status: int) -> None:
    head = problem_answer(error, "text/html", is_head=True)
    assert head.status == status
    assert head.headers == problem_answer(error, "text/html").headers
    assert head.body == NO_BODY


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        pytest.param(MethodNotAllowed("PUT"), b"allow", b"GET, HEAD, OPTIONS", id="allow"),
        pytest.param(RangeNotSatisfiable(7), b"content-range", b"bytes */7", id="content-range"),
        pytest.param(TooManyRequests("x", 9), b"retry-after", b"9", id="429"),
        pytest.param(Unavailable(CID, ()), b"retry-after", b"30", id="502"),
        pytest.param(Unverifiable(CID, ()), b"retry-after", b"30", id="502-verify"),
        pytest.param(DeadlineExceeded(CID, ()), b"retry-after", b"30", id="504"),
        pytest.param(NotFound(CID, ()), b"retry-after", None, id="404"),
        pytest.param(BadBlock("dag-pb", "x"), b"retry-after", None, id="broken-content"),
    ],
)
def test_fields_of_one_status(error: GatewayError, name: bytes, value: bytes | None) -> None:
    assert dict(problem_answer(error, "").headers).get(name) == value


@pytest.mark.parametrize(
    ("error", "step", "words"),
    [
        pytest.param(NotFound(CID, ATTEMPTS), "fetch", "was not found on any", id="absent"),
        pytest.param(Unavailable(CID, ATTEMPTS), "fetch", "could not be had from", id="refused"),
        pytest.param(Unverifiable(CID, ATTEMPTS), "verify", "form that verifies", id="lie"),
    ],
)
def test_words_follow_what_happened(error: GatewayError, step: str, words: str) -> None:
    """issue 12, 17: a refused connection was told as something that does not verify."""
    problem = describe(error)
    assert problem.step == step
    assert words in problem.detail


def test_text_names_the_cid_the_step_and_every_attempt() -> None:
    assert body_of(problem_answer(Unverifiable(CID, ATTEMPTS), "")) == (
        f"502 Bad Gateway: {HELLO} could not be had in a form that verifies\n"
        "Try again later.\n"
        "\n"
        f"cid: {HELLO}\n"
        "step: verify\n"
        "upstream stockholm-1 (car): sent bytes that do not match\n"
        "upstream public-1 (raw): answered 429\n"
    )


def test_text_of_a_bad_path_is_what_the_conformance_suite_looks_for() -> None:
    text = body_of(problem_answer(BadPath("/ipfs/QmInvalidCID", "not a CID"), "*/*"))
    assert 'invalid path "/ipfs/QmInvalidCID"' in text


def test_json_has_the_same_facts() -> None:
    told = json.loads(body_of(problem_answer(Unverifiable(CID, ATTEMPTS), "application/json")))
    assert told["status"] == 502
    assert (told["cid"], told["step"]) == (HELLO, "verify")
    assert told["attempts"][1] == {
        "upstream": "public-1",
        "step": "raw",
        "outcome": "answered 429",
    }


def test_the_page_has_the_same_facts_and_nothing_that_runs() -> None:
    page = Page(body_of(problem_answer(Unverifiable(CID, ATTEMPTS), "text/html")))
    assert page.forbidden == []
    for fact in ("502", "Bad Gateway", HELLO, "verify", "stockholm-1", "answered 429"):
        assert fact in page.text


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '" onx="1', "</title><img src=x>", "{{7*7}}", "javascript:x"],
)
def test_names_in_pages_are_only_text(name: str) -> None:
    body = body_of(problem_answer(NoSuchLink(name, CID), "text/html"))
    page = Page(body)
    assert page.forbidden == []
    assert name in page.text


def test_line_ends_are_not_reflected() -> None:
    attempt = Attempt("a\r\nb", "car", "c\x00\x85\u2028d")
    detail = describe(NoSuchLink("x\r\nSet-Cookie: y", CID)).detail
    told = describe(NotFound(CID, (attempt,))).attempts
    assert "x  Set-Cookie: y" in detail
    assert told == (Attempt("a  b", "car", "c   d"),)


def test_bodies_are_bounded() -> None:
    assert len(describe(NoSuchLink("x" * 8000, CID)).detail) == MAX_DETAIL_CHARACTERS
    assert len(describe(NotFound(CID, ATTEMPTS * 20)).attempts) == MAX_ATTEMPTS


def test_an_unexpected_error_tells_nothing() -> None:
    for accept in ("", "text/html", "application/json"):
        body = body_of(problem_answer(ZeroDivisionError("secret /etc/passwd"), accept))
        assert "secret" not in body
        assert "ZeroDivision" not in body
        assert "Its log has the details." in body


@pytest.mark.parametrize(
    ("subject", "has_link", "step"),
    [
        pytest.param(CID, True, "fetch", id="cid"),
        pytest.param(parse_key(KEY), False, "resolve the name", id="key"),
        pytest.param("example.com", False, "resolve the name", id="domain"),
    ],
)
def test_a_page_about_content_says_where_to_ask_for_it(
    subject: object,
    has_link: bool,  # noqa: FBT001 (a table)
    step: str,
) -> None:
    page = body_of(problem_answer(NotFound(subject, ATTEMPTS), "text/html"))
    assert (f"https://check.ipfs.network/?cid={subject}" in page) == has_link
    assert f"<dd>{step}</dd>" in page
    assert f">{subject}</dd>" in page
