"""The log of the service: one JSON object a line, on standard output."""

import json
import logging
import sys
from datetime import UTC, datetime

from lungcare import trace


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON. `extra={"told": {...}}` joins it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        open_trace = trace.current()
        if open_trace is not None:
            told["request_id"] = open_trace.request_id
        told |= getattr(record, "told", {})
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def configure() -> None:
    """Write what LungCare logs in this process to standard output."""
    _write("lungcare")
    logging.getLogger("lungcare").setLevel(logging.INFO)


def configure_server() -> None:
    """Write what BentoML, uvicorn and all others log in this process in the same way; their own levels stay."""
    for name in (None, "bentoml", "uvicorn.error"):
        _write(name)


def _write(name: str | None) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(name)
    logger.handlers = [handler]
    logger.propagate = False
