"""How often anyone may ask: token buckets in the memory of each worker."""

import time
from dataclasses import dataclass, field
from math import ceil

from gateway.problems import Problem

MOST_BUCKETS = 20_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass
class Limit:
    """``rate`` requests a second for each key, ``burst`` at once.

    Answers carry the state of the bucket as in draft-ietf-httpapi-ratelimit-headers-10: the quota
    ``q`` per window ``w``, what remains ``r`` and the seconds ``t`` until the bucket is full.
    """

    name: str
    rate: float
    burst: int
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    @property
    def policy(self) -> bytes:
        """The value of RateLimit-Policy."""
        return f'"{self.name}";q={self.burst};w={ceil(self.burst / self.rate)}'.encode()

    def take(self, key: str, moment: float | None = None) -> bytes:
        """Take a token and tell the value of RateLimit; 429 when there is none."""
        bucket = self.refuse_empty(key, moment)
        bucket.tokens -= 1
        full = ceil((self.burst - bucket.tokens) / self.rate)
        return b'"%s";r=%d;t=%d' % (self.name.encode(), int(bucket.tokens), full)

    def refuse_empty(self, key: str, moment: float | None = None) -> _Bucket:
        """The bucket with a token in it; 429 when there is none."""
        bucket = self._filled(key, time.monotonic() if moment is None else moment)
        if bucket.tokens >= 1:
            return bucket
        wait = ceil((1 - bucket.tokens) / self.rate)
        raise Problem(
            429,
            "too_many_requests",
            headers={
                "retry-after": str(wait),
                "ratelimit-policy": self.policy.decode(),
                "ratelimit": f'"{self.name}";r=0;t={wait}',
            },
            retryable=True,
        )

    def _filled(self, key: str, moment: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._forget(moment)
            bucket = self._buckets[key] = _Bucket(self.burst, moment)
            return bucket
        bucket.tokens = min(self.burst, bucket.tokens + (moment - bucket.at) * self.rate)
        bucket.at = moment
        return bucket

    def _forget(self, moment: float) -> None:
        """Drop buckets that are full again; all of them when a flood of keys leaves none full."""
        kept = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (moment - bucket.at) * self.rate < self.burst
        }
        self._buckets = kept if len(kept) < MOST_BUCKETS else {}
