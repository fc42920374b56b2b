"""DNSLink resolution (https://dnslink.dev), from a static map or from the DNS.

Only `_dnslink.{domain}` is looked up; the former place of DNSLinks, the domain itself, is not, as
in boxo. DNS answers are never shared between machines: unlike IPNS records, they carry no
signature to verify.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from gateway.content.path import AnyPath, parse_target
from gateway.errors import (
    Attempt,
    BadPath,
    BadSetting,
    BadTarget,
    DeadlineExceeded,
    HostUnknown,
    NotFound,
    RetrievalError,
    Unavailable,
)
from gateway.host_names import parse_domain
from gateway.naming.dns import STEP, TxtAnswer
from gateway.naming.domains import AllowedDomains, is_special
from gateway.naming.held import Held
from gateway.naming.name_cache import REST_S, NameCache, Policy
from gateway.ports import Clock, HostAnswer
from gateway.settings import NamesSettings

MIN_TTL_S: Final = 5.0  # with less, a page of a hundred parts would cause a hundred lookups
MAX_TTL_S: Final = 3600.0  # as for IPNS records: a mistake is corrected within the hour
GRACE_S: Final = 86_400.0  # RFC 8767, 5: between one and three days
HOST_PATIENCE_S: Final = 2.0  # wait of a request until it is known whether its host has a DNSLink
PREFIX: Final = b"dnslink="
POLICY: Final = Policy(
    absent_s=30.0,
    failed_s=5.0,
    survived=(Unavailable, DeadlineExceeded),
    patience_s=1.8,  # RFC 8767, 5: the client response timer
)


class Txts(Protocol):
    """A source of TXT records. Production: `gateway.naming.dns.TxtResolver`."""

    async def find(self, name: str) -> TxtAnswer | None:
        """Return the TXT records of a name; None if it has none.

        Raises:
            DeadlineExceeded, Unavailable: the DNS fails.
        """
        ...


class Link:
    """The target of a name; `ttl_s` is None for entries of the static map, which never expire."""

    __slots__ = ("is_stale", "target", "ttl_s")

    def __init__(self, target: AnyPath, ttl_s: float | None, *, is_stale: bool = False) -> None:
        self.target = target
        self.ttl_s = ttl_s
        self.is_stale = is_stale


class Dnslinks:
    """A resolver of domains to content paths.

    Args:
        settings: the static map, and the domains that may be looked up in the DNS.
        txts: the DNS.
        clock: the time.

    Raises:
        BadSetting: a key of the static map is not a domain, or a value not a content path.
    """

    def __init__(self, settings: NamesSettings, txts: Txts, clock: Clock) -> None:
        self._static = _parse_map(settings.dnslink)
        self._allowed = AllowedDomains(settings.allowed)
        self._txts = txts
        self._clock = clock
        self._keeper: NameCache[AnyPath] = NameCache(
            POLICY, clock, self._search, lambda _target: True
        )

    async def get(self, domain: str, *, cached_only: bool = False) -> Link:
        """Return the target of a domain.

        Raises:
            NotCached: with `cached_only`, the target is not in the cache.
            NotFound: the domain has no DNSLink, or may not be looked up.
            BadTarget: its DNSLink is not a content path, or it has several.
            Unavailable, DeadlineExceeded: the DNS fails.
        """
        if (target := self._static.get(domain)) is not None:
            return Link(target, None)
        if reason := self._reason_not_to_look_up(domain):
            raise NotFound(domain, [Attempt("DNS", STEP, reason)])
        find = self._keeper.recall if cached_only else self._keeper.get
        held, is_stale = await find(domain)
        return Link(held.value, held.left_s(self._clock.monotonic()), is_stale=is_stale)

    async def look_up(self, domain: str) -> HostAnswer:
        """Tell whether a domain has a DNSLink; see `ports.NameResolver.look_up_host`."""
        if domain in self._static:
            return HostAnswer(is_website=True)
        if self._reason_not_to_look_up(domain):
            return HostAnswer(is_website=False)
        try:
            async with asyncio.timeout(HOST_PATIENCE_S):
                held = (await self._keeper.get(domain)).held
        except NotFound:
            return self._answer(is_website=False, valid_s=POLICY.absent_s)
        except BadTarget:
            return self._answer(is_website=True, valid_s=POLICY.failed_s)
        except RetrievalError as error:
            raise HostUnknown(domain, error.attempts) from error
        except TimeoutError:
            attempt = Attempt("DNS", STEP, f"did not answer within {HOST_PATIENCE_S:g} s")
            raise HostUnknown(domain, [attempt]) from None
        return self._answer(is_website=True, valid_s=held.left_s(self._clock.monotonic()))

    def _answer(self, *, is_website: bool, valid_s: float) -> HostAnswer:
        return HostAnswer(is_website, self._clock.monotonic() + max(valid_s, MIN_TTL_S))

    def _reason_not_to_look_up(self, domain: str) -> str:
        if is_special(domain):
            return "was not asked: the name is reserved for private networks"
        return "" if domain in self._allowed else "was not asked: names.allowed does not list it"

    async def _search(self, domain: str, _last: Held[AnyPath] | None) -> Held[AnyPath]:
        answer = await self._txts.find(f"_dnslink.{domain}")
        target = choose_target(domain, answer.texts) if answer is not None else None
        if answer is None or target is None:
            raise NotFound(domain, [Attempt("DNS", STEP, "has no DNSLink for it")])
        now = self._clock.monotonic()
        fresh_until = now + min(max(answer.ttl_s, MIN_TTL_S), MAX_TTL_S)
        # No stale period: the DNS answers in milliseconds, so an expired answer is renewed first.
        return Held(target, fresh_until, fresh_until, fresh_until + GRACE_S, now + REST_S)

    async def close(self) -> None:
        """End all searches."""
        await self._keeper.close()


def choose_target(domain: str, texts: tuple[bytes, ...]) -> AnyPath | None:
    """Return the content path that TXT records give; None if none of them is a DNSLink for IPFS.

    Raises:
        BadTarget: they give several paths, or only one that is malformed.
    """
    targets: set[AnyPath] = set()
    wrong: Exception | None = None
    for text in texts:
        if text.startswith((PREFIX + b"/ipfs/", PREFIX + b"/ipns/")):
            try:
                targets.add(parse_target(text.removeprefix(PREFIX).decode("utf-8")))
            except (BadPath, UnicodeDecodeError) as error:
                wrong = error
    if len(targets) > 1:
        raise BadTarget(domain, f"it has {len(targets)} DNSLinks")
    if not targets and wrong is not None:
        raise BadTarget(domain, str(wrong)) from wrong
    return targets.pop() if targets else None


def _parse_map(table: Mapping[str, str]) -> dict[str, AnyPath]:
    """Parse the static map.

    Raises:
        BadSetting: a key is not a domain, or a value not a content path; names the key.
    """
    targets: dict[str, AnyPath] = {}
    for name, text in table.items():
        key = f'names.dnslink."{name}"'
        domain = parse_domain(name)
        if domain is None:
            raise BadSetting(key, "is not a domain name of at least two labels")
        try:
            targets[domain] = parse_target(text)
        except BadPath as error:
            raise BadSetting(key, str(error)) from None
    return targets
