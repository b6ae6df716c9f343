"""Token buckets."""

import pytest

from gateway import limits
from gateway.limits import Limit
from gateway.problems import Problem


class TestTake:
    def test_allows_a_burst_then_the_rate(self):
        limit = Limit("default", 2, 4)
        for _ in range(4):
            limit.take("me", 0.0)
        with pytest.raises(Problem) as refusal:
            limit.take("me", 0.0)
        assert refusal.value.status == 429
        assert refusal.value.headers["retry-after"] == "1"
        assert refusal.value.headers["ratelimit"] == '"default";r=0;t=1'
        limit.take("me", 0.5)

    def test_keeps_each_key_apart(self):
        limit = Limit("default", 1, 1)
        limit.take("me", 0.0)
        limit.take("you", 0.0)

    def test_tells_what_remains(self):
        limit = Limit("default", 2, 4)
        assert limit.policy == b'"default";q=4;w=2'
        assert limit.take("me", 0.0) == b'"default";r=3;t=1'

    def test_never_holds_more_than_the_burst(self):
        limit = Limit("default", 2, 4)
        limit.take("me", 0.0)
        assert limit.take("me", 1000.0) == b'"default";r=3;t=1'

    def test_forgets_full_buckets_first(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(limits, "MOST_BUCKETS", 3)
        limit = Limit("default", 1, 2)
        limit.take("old", 0.0)
        limit.take("spent", 99.0)
        limit.take("spent", 99.0)
        limit.take("third", 99.0)
        limit.take("fourth", 99.0)
        with pytest.raises(Problem):
            limit.take("spent", 99.0)
