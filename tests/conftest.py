"""For every test."""

import structlog

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)  # a traceback drawn in boxes takes seconds on a busy machine, while a link waits for its answer
