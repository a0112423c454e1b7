"""Structured logs: a fixed message, facts as fields, and nobody's personal data unless asked for."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_NUMBER = re.compile(r"\+\d{5,13}(\d{2})(?!\d)")
_SECRET = re.compile(r"secret|token|password|authorization", re.IGNORECASE)
_NUMBER_KEYS = ("phone", "number", "to", "caller")


def configure(*, level: str, as_json: bool, pii: bool, stream: TextIO | None = None) -> None:
    """Set up structlog, and send the standard library's logs (uvicorn, SQLAlchemy) the same way."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Discretion(pii=pii),
    ]
    final: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in ("uvicorn", "alembic", "sqlalchemy", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class Discretion:
    """Drops what begins with `pii_`, hides secrets, and leaves the last two digits of a number."""

    def __init__(self, *, pii: bool) -> None:
        self._pii = pii

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> MutableMapping[str, Any]:
        first = [key for key in ("timestamp", "level", "event") if key in event]
        rest = [key for key in event if key not in first and (self._pii or not key.startswith("pii_"))]
        return {
            key: event[key] if key.startswith("pii_") else self._discreet(key, event[key])
            for key in (*first, *rest)
        }

    def _discreet(self, key: str, value: Any) -> Any:
        match value:
            case _ if _SECRET.search(key):
                return "(hidden)"
            case str() if key in _NUMBER_KEYS:
                return short(value)
            case str():
                return _NUMBER.sub(r"…\1", value)
            case dict():
                return {k: self._discreet(str(k), v) for k, v in value.items()}
            case list() | tuple():
                return [self._discreet(key, item) for item in value]
            case _:
                return value


def short(number: str) -> str:
    """The last two digits of a phone number."""
    digits = re.sub(r"\D", "", number)
    return f"…{digits[-2:]}" if digits else ""
