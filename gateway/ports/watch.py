"""Events for metrics and logs, and admission control."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from gateway.ports.blocks import Choice, MissReason, Tier


class Rejection(StrEnum):
    """Why bytes were refused."""

    MISMATCH = "mismatch"
    DISK = "disk"


class Observer(Protocol):
    """A receiver of events; the core knows no metrics.

    Production: `gateway.ops.events.LoggedStatistics`.
    """

    def block_found(self, tier: Tier, size_bytes: int) -> None:
        """A block was served from the cache."""
        ...

    def block_missed(self, reason: MissReason) -> None:
        """A block was in no tier."""
        ...

    def block_verified(self, size_bytes: int) -> None:
        """Bytes from an upstream matched their hash."""
        ...

    def block_rejected(self, reason: Rejection, source: str) -> None:
        """Bytes did not match their hash; `source` is an upstream's name or `disk`."""
        ...

    def block_evicted(self, tier: Tier, reason: str, size_bytes: int) -> None:
        """A block left a tier."""
        ...

    def upstream_asked(self, choice: Choice, step: str) -> None:
        """A request (`car` or `raw`) goes to an upstream."""
        ...

    def upstream_answered(self, upstream: str, step: str, ttfb_s: float) -> None:
        """The first verified block came after `ttfb_s` seconds."""
        ...

    def upstream_received(self, upstream: str, size_bytes: int) -> None:
        """Body bytes came from an upstream."""
        ...

    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:
        """A request to an upstream failed; `kind` is a `FailureKind` word."""
        ...

    def upstream_state(self, upstream: str, state: str, reason: str, problem: str = "") -> None:
        """An upstream changed its state: it was ejected, held off or readmitted.

        Args:
            upstream: its name.
            state: the new state.
            reason: the cause, one word.
            problem: the text of the last failure; empty if there is none.
        """
        ...


class Admission(Protocol):
    """Admission control. Production: `gateway.guard.admission.AdmissionControl`."""

    def admit(self, client: str) -> Mapping[str, str]:
        """Count one request of `client` (an IP address).

        Returns:
            The RateLimit header fields to send, empty when limits are off.

        Raises:
            TooManyRequests: over the limit of the client or of the process.
        """
        ...

    def pass_by(self, client: str) -> bytes | None:
        """Count one request that is answered at once; needs no `release`.

        Returns:
            The RateLimit fields as lines of a head; None over a limit, whose reason `admit` raises.
        """
        ...

    def hold(self) -> None:
        """Count a request of `pass_by` as one in flight; `release` must follow."""
        ...

    def release(self) -> None:
        """Count the end of a request that was admitted."""
        ...
