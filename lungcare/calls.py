"""Calls of programs that use gradio_client: the two routes of Gradio's queue, answered without keeping a film.

Gradio's own queue holds what it was sent for as long as it runs. Here a film is gone with its reading, and the reading
once it was fetched, or after a time.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, ValidationError

# Brackets and commas of a call: a handful. Far more would take far more memory than their bytes, or nest without end.
_MOST_PARTS = 100


class _Sent(BaseModel):
    """What a call is sent: the session of the program, and the values."""

    session_hash: str
    data: list[str] = Field(min_length=1, max_length=2)


class Calls:
    """Calls of one function, by the session of the program.

    function: takes the values that were sent. seconds: after which an answer that nobody fetched is dropped. most:
    calls that may be under way or wait to be fetched; one more is answered 503.
    """

    def __init__(self, function: Callable[..., Awaitable[dict[str, Any]]], seconds: float, most: int):
        self._function = function
        self._seconds = seconds
        self._most = most
        self.waiting: dict[str, list[tuple[str, asyncio.Task]]] = {}

    async def join(self, request: Request) -> Response:
        """Begin a call; answers with its id at once."""
        body = await request.body()
        if sum(map(body.count, (b"[", b"{", b","))) > _MOST_PARTS:
            return Response(status_code=400)
        try:
            sent = _Sent.model_validate_json(body)
        except ValidationError:
            return Response(status_code=400)
        if sum(map(len, self.waiting.values())) >= self._most:
            return Response(status_code=503, headers={"retry-after": "5"})
        call = uuid4().hex
        task = asyncio.ensure_future(self._function(*sent.data))
        self.waiting.setdefault(sent.session_hash, []).append((call, task))
        task.add_done_callback(partial(self._drop_later, sent.session_hash, call))
        return JSONResponse({"event_id": call})

    async def data(self, session_hash: str = "") -> StreamingResponse:
        """The answers of a session, as they come."""
        return StreamingResponse(self._messages(session_hash), media_type="text/event-stream")

    async def _messages(self, session: str) -> AsyncIterator[str]:
        while calls := self.waiting.get(session):
            call, task = calls[0]
            answer = await asyncio.shield(task)
            self._drop(session, call)
            yield _event("process_completed", event_id=call, output={"data": [answer]}, success=True)
        yield _event("close_stream", event_id=None)

    def _drop_later(self, session: str, call: str, task: asyncio.Task) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._drop, session, call)

    def _drop(self, session: str, call: str) -> None:
        left = [waiting for waiting in self.waiting.get(session, ()) if waiting[0] != call]
        if left:
            self.waiting[session] = left
        else:
            self.waiting.pop(session, None)


def _event(kind: str, **values: Any) -> str:
    return f"data: {json.dumps({'msg': kind, **values})}\n\n"
