"""A provider of texts in a process of its own: takes each after a while, and says when it was given it.

`python -m tests.lab.bench.carrier PORT SECONDS`; each text's line on standard output is the moment its request
was read, by the clock that all processes share, and its body.
"""

import asyncio
import sys
import time
from functools import partial


async def _serve(seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:  # somebody looked whether we are up
        writer.close()
        return
    size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(size)
    sys.stdout.write(f"{time.monotonic()} {body.decode()}\n")
    sys.stdout.flush()
    await asyncio.sleep(seconds)
    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def main(port: int, seconds: float) -> None:
    server = await asyncio.start_server(partial(_serve, seconds), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
