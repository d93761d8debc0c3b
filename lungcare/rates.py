"""How many films each sender may have read in a while."""

import math
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import Scope

from lungcare.problem import RequestError

# Wrong keys of one address that are told to be wrong; more are told to wait. A right key is let in beside them.
_ATTEMPTS = limits.parse("20/minute")


class Rates:
    """The counts of all senders, in the memory of this process. rate: such as 60/minute; nothing for no limit.

    most: films that can be counted at once, however long one waits.
    """

    def __init__(self, rate: str):
        self._rate = limits.parse(rate) if rate else None
        self.most = self._rate.amount if self._rate else math.inf
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)

    def check(self, scope: Scope) -> None:
        """Raise RequestError (429) where the sender of a request may not have one more film read; count nothing."""
        if self._rate is not None and not self._limiter.test(self._rate, sender(scope)):
            raise self._refusal("too_many_requests", self._rate, sender(scope), 1)

    def charge(self, scope: Scope, films: int = 1) -> None:
        """Count films of the sender of a request. Raises RequestError (429), counting none, when too many."""
        if self._rate is not None:
            self._hit("too_many_requests", self._rate, sender(scope), films)

    def attempt(self, scope: Scope) -> None:
        """Count a wrong key. Raises RequestError (429) when the address has tried too many."""
        self._hit("too_many_wrong_keys", _ATTEMPTS, address(scope), 1)

    def _hit(self, code: str, rate: limits.RateLimitItem, who: str, cost: int) -> None:
        if not self._limiter.hit(rate, who, cost=cost):
            raise self._refusal(code, rate, who, cost)

    def _refusal(self, code: str, rate: limits.RateLimitItem, who: str, cost: int) -> RequestError:
        """With the seconds after which the whole cost fits, unless more is counted until then."""
        # The newest first: when the first of these has left, so have all others.
        in_the_way = self._storage.events.get(rate.key_for(who), [])[rate.amount - cost :]
        wait = in_the_way[0].atime + rate.get_expiry() - time.time() if in_the_way else 0
        return RequestError(code, {"retry-after": str(max(0, math.floor(wait)) + 1)})


def sender(scope: Scope) -> str:
    """Whom a request is counted to: its key, or else its address."""
    return scope.get("lungcare.key") or address(scope)


def address(scope: Scope) -> str:
    """The address that a request came from; behind a trusted proxy, the one that the proxy names."""
    client = scope.get("client")
    return client[0] if client else "unknown"
