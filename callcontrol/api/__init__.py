"""The HTTP API: transfers, agents, tasks, analytics, health, metrics. Every refusal is a problem document with a reason.

`gate` lets in who may, and no body that is too large or too slow; `transfers`, `agents` and `health`
are the routes; `bodies` what comes in, `answers` what goes out, `stream` the server-sent events;
`metrics` counts, and `scrape` is where Prometheus fetches it. `factory` puts it together; it is loaded by
the daemon alone, while commands share the answers' shapes.
"""
