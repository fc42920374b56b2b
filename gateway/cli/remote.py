"""HTTP client of the admin listener of a running gateway."""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import httpx
import typer

from gateway.errors import CannotStart

DEFAULT_URL = "http://127.0.0.1:8081"
TIMEOUT_S = 5.0

AdminUrl = Annotated[str, typer.Option("--url", help="URL of the admin listener.")]
AdminToken = Annotated[
    str,
    typer.Option(
        "--token", help="Bearer token of the admin listener.", envvar="GATEWAY_ADMIN__TOKEN"
    ),
]

Shape = TypeVar("Shape", dict[str, Any], list[dict[str, Any]])


def connect(url: str, token: str, timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """Return a client of an admin listener.

    Proxies of the environment are ignored: the listener is on this machine or on a network of the
    operator, and the token must not reach a proxy.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.Client(
            base_url=url,
            headers=headers,
            timeout=timeout_s,
            trust_env=False,
            verify=_trust(is_secure=url.lower().startswith("https:")),
        )
    except httpx.InvalidURL as exc:
        raise CannotStart(f"{url} is not a URL ({exc})") from None


def fetch(client: httpx.Client, page: str, shape: type[Shape]) -> Shape:
    """Fetch one page of JSON.

    Raises:
        CannotStart: the listener does not answer, or answers with an error.
    """
    with _reported(client, page) as where:
        response = client.get(page)
        _refuse_failure(response, where)
        return _shaped(response, shape, where)


def order(client: httpx.Client, page: str, body: Mapping[str, object], shape: type[Shape]) -> Shape:
    """Send an order; return its result.

    Raises:
        CannotStart: it was not carried out, or the listener does not answer.
    """
    with _reported(client, page) as where:
        response = client.post(page, json=body)
        _refuse_failure(response, where)
        return _shaped(response, shape, where)


def follow(client: httpx.Client, page: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """Send an order; yield its progress, one decoded line of JSON each.

    Raises:
        CannotStart: it was not carried out, or the connection broke.
    """
    with _reported(client, page) as where, client.stream("POST", page, json=body) as response:
        if response.is_error:
            response.read()
        _refuse_failure(response, where)
        for line in response.iter_lines():
            yield json.loads(line)


def _trust(*, is_secure: bool) -> ssl.SSLContext:
    """Trust the authorities of httpx and those of the system, which `SSL_CERT_FILE` changes.

    OpenSSL passes over a file that is not there, as `httpx` does not. Plain HTTP needs none of
    them, and reading them takes longer than the command.
    """
    if not is_secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


@contextmanager
def _reported(client: httpx.Client, page: str) -> Iterator[str]:
    where = f"{str(client.base_url).rstrip('/')}{page}"
    try:
        yield where
    except httpx.HTTPError as exc:
        hint = "is the gateway running, and is this its admin listener?"
        raise CannotStart(f"no answer from {where} ({exc}): {hint}") from None


def _refuse_failure(response: httpx.Response, where: str) -> None:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise CannotStart(f"{where} refuses the token (--token, GATEWAY_ADMIN__TOKEN)")
    if not response.is_success:
        raise CannotStart(f"{where} answers {response.status_code}{_reason_of(response)}")


def _reason_of(response: httpx.Response) -> str:
    try:
        return f": {response.json()['error']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _shaped(response: httpx.Response, shape: type[Shape], where: str) -> Shape:
    try:
        page = response.json()
    except ValueError:
        page = None
    if not isinstance(page, shape):
        raise CannotStart(f"{where} is not a page of the admin listener of a gateway")
    return page
