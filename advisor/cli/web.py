"""`tui --web`: the interface in a browser, through textual-serve.

Whoever may use the page sees every process of the host and may write files and start trials as the user who runs it.
So a page needs the key in the address that is printed, which its cookie keeps, and answers no page of another site
(a browser lets any site open a WebSocket to localhost).
"""

from __future__ import annotations

import hmac
import logging
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

import click

from advisor.cli.errors import CommandError, ExitCode

try:
    from aiohttp import web
    from textual_serve.server import Server
except ImportError as error:
    raise CommandError("--web needs textual-serve: pip install 'hugepage-advisor[web]'", ExitCode.USAGE) from error

ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
LOCAL = {"localhost", "127.0.0.1", "::1"}

ENDING_S = 1.0
"""Seconds that open pages have to go by themselves at the end. Source: own choice."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(arguments: Sequence[str], host: str, port: int) -> int:
    """Serve `hugepage-advisor ARGUMENTS`, one process a page, until Ctrl-C."""
    if host not in LOCAL:
        click.echo(
            "hugepage-advisor: anybody who has the address can watch and change this host; it is sent unencrypted",
            err=True,
        )
    command = shlex.join([sys.executable, "-P", "-m", "advisor", *arguments])
    server = KeyedServer(f"exec {command}", host, port)
    server.initialize_logging()
    try:
        web.run_app(server._make_app(), host=host, port=port, print=server.say_where, shutdown_timeout=ENDING_S)
    except OSError as error:
        raise CommandError(f"cannot serve on {host}, port {port}: {error.strerror}", ExitCode.FAILED) from error
    return ExitCode.INTERRUPTED


class KeyedServer(Server):
    """Shows the interface to those who have the key."""

    def __init__(self, command: str, host: str, port: int) -> None:
        name = socket.gethostname() if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
        super().__init__(command, host, port, title="hugepage-advisor", public_url=f"http://{name}:{port}")
        self._key = secrets.token_urlsafe(16)
        self._cookie = f"hugepage-advisor-{port}"

    def initialize_logging(self) -> None:
        """Warnings alone: a line for each request would have the key in it."""
        logging.basicConfig(level=logging.WARNING, format="hugepage-advisor: %(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing yet: nobody listens."""

    def say_where(self, *_: object) -> None:
        """Once somebody listens."""
        click.echo(f"{self.public_url}/?key={self._key}")
        click.echo("shows this host in a browser, until Ctrl-C", err=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only with the key, and for no page but the own one."""
        if request.path.startswith("/static/"):
            return await handler(request)
        given = request.query.get("key") or request.cookies.get(self._cookie) or ""
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise web.HTTPForbidden(text="Open the address that hugepage-advisor printed: the key is in it.\n")
        if request.headers.get("Origin", self.public_url) != self.public_url:
            raise web.HTTPForbidden(text="Not for the pages of other sites.\n")
        response = await handler(request)
        if not response.prepared:
            response.set_cookie(self._cookie, self._key, httponly=True, samesite="Strict")
        return response
