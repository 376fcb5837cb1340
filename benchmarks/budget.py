"""The spend limit over a whole run: no request is sent that could take the total beyond it."""

import anyio

from benchmarks.ledger import Ledger
from sigma_env.errors import SigmaEnvError


class SpendLimitReached(SigmaEnvError):
    """A request was not sent, because it could have cost more than is left."""


class Budget:
    """Dollars that a run may spend, with all that its ledger has spent before.

    Attributes:
        limit: in dollars; None for no limit.
    """

    def __init__(self, ledger: Ledger, limit: float | None) -> None:
        self.limit = limit
        self._ledger = ledger
        self._under_way = 0
        self._changed = anyio.Event()

    async def reserve(self, at_most: float) -> None:
        """Waits until a request of at most so many dollars fits beside those that are under way.

        The caller notes the request in the ledger before anything else can run, and calls `settle` when it is over.

        Raises:
            SpendLimitReached: it does not fit even when nothing is under way.
        """
        while self.limit is not None and self._ledger.spent + at_most > self.limit:
            if not self._under_way:
                raise SpendLimitReached(
                    f"not sent: it could cost ${at_most:.4f}, and of ${self.limit:.2f} (--max-usd) "
                    f"${self._ledger.spent:.4f} are spent"
                )
            await self._changed.wait()
        self._under_way += 1

    def settle(self) -> None:
        """Tells that a request is over and its cost is in the ledger."""
        self._under_way -= 1
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
