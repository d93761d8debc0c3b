"""How much is read at the same time, and how long."""

import asyncio
import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lungcare.problem import RequestError

logger = logging.getLogger("lungcare.workload")
_RETRY_SECONDS = "5"


class Workload:
    """Two ASGI middlewares that share their count.

    reads: tells the requests that are bounded; all others pass. most: how many of them at once. seconds: for each, once
    its body is there.
    """

    def __init__(self, reads: Callable[[Scope], bool], most: int, seconds: float):
        self.reads = reads
        self.seconds = seconds
        self.free = most

    def places(self, app: ASGIApp) -> ASGIApp:
        """An app that takes no more than so many requests at once, from before their body is read."""

        async def placed(scope: Scope, receive: Receive, send: Send) -> None:
            if not self.reads(scope):
                return await app(scope, receive, send)
            if self.free <= 0:
                raise RequestError("busy", {"retry-after": _RETRY_SECONDS})
            self.free -= 1
            try:
                await app(scope, receive, send)
            finally:
                self.free += 1

        return placed

    def deadline(self, app: ASGIApp) -> ASGIApp:
        """An app that answers in time, if only that it was too slow.

        What is then still computed keeps a place until it has ended, whether somebody waits for it or not.
        """

        async def timed(scope: Scope, receive: Receive, send: Send) -> None:
            if not self.reads(scope):
                return await app(scope, receive, send)
            is_late = False

            async def in_time(message: Message) -> None:
                if not is_late:
                    await send(message)

            task = asyncio.ensure_future(app(scope, receive, in_time))
            done, _ = await asyncio.wait({task}, timeout=self.seconds)
            if done:
                return task.result()
            is_late = True
            self.free -= 1
            task.add_done_callback(self._ended_late)
            raise RequestError("timed_out", seconds=self.seconds)

        return timed

    def _ended_late(self, task: asyncio.Task) -> None:
        self.free += 1
        if not task.cancelled() and task.exception() is not None:
            logger.error("A request that had timed out failed", exc_info=task.exception())
