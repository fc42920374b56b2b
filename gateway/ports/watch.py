"""Who is told what happened, and who may come in."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from gateway.ports.blocks import Choice, MissReason, Tier


class Rejection(StrEnum):
    """Why bytes were not taken."""

    MISMATCH = "mismatch"
    DISK = "disk"


class Observer(Protocol):
    """Hears what happened; the core never names a metric.

    Production: `gateway.ops.events.LoggedStatistics`.
    """

    def block_found(self, tier: Tier, size_bytes: int) -> None:
        """A block was served from the cache."""
        ...

    def block_missed(self, reason: MissReason) -> None:
        """A block was in no tier."""
        ...

    def block_verified(self, size_bytes: int) -> None:
        """Bytes from an upstream were hashed and right."""
        ...

    def block_rejected(self, reason: Rejection, source: str) -> None:
        """Bytes were hashed and wrong; `source` is an upstream's name or `disk`."""
        ...

    def block_evicted(self, tier: Tier, reason: str, size_bytes: int) -> None:
        """A block left a tier."""
        ...

    def upstream_asked(self, choice: Choice, step: str) -> None:
        """A request (`car` or `raw`) goes to an upstream."""
        ...

    def upstream_answered(self, upstream: str, step: str, ttfb_s: float) -> None:
        """The first verified block came after `ttfb_s`."""
        ...

    def upstream_received(self, upstream: str, size_bytes: int) -> None:
        """Body bytes came from an upstream."""
        ...

    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:
        """A request to an upstream failed; `kind` is a `FailureKind` word."""
        ...

    def upstream_state(self, upstream: str, state: str, reason: str, problem: str = "") -> None:
        """An upstream was ejected or came back.

        Args:
            upstream: its name.
            state: that it is in now.
            reason: in a word.
            problem: what it did, as it was told; empty when there is none.
        """
        ...


class Admission(Protocol):
    """Who may come in. Production: `gateway.guard.admission.AdmissionControl`."""

    def admit(self, client: str) -> Mapping[str, str]:
        """Count one request of `client` (an IP address).

        Returns:
            The RateLimit header fields to send, empty when limits are off.

        Raises:
            TooManyRequests: over the limit of the client or of the process.
        """
        ...

    def pass_by(self, client: str) -> bytes | None:
        """Count one request that is answered at once, without `release`.

        Returns:
            The RateLimit fields as lines of a head; None over a limit, `admit` then says why.
        """
        ...

    def hold(self) -> None:
        """Count a request that passed by as one under way; `release` must follow."""
        ...

    def release(self) -> None:
        """Count the end of a request that was admitted."""
        ...
