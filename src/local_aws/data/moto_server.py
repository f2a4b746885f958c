"""moto's server, closed to browsers' pages: moto itself answers every origin, and a POST resets it.

    python -m local_aws.data.moto_server PORT

https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

from local_aws.servers.page_refusal import page_refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def for_programs(app: WSGIApplication) -> WSGIApplication:
    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def header(name: str) -> str | None:
            value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            return None if value is None else str(value)

        refusal = page_refusal(header)
        if refusal is None:
            return app(environ, start_response)
        start_response(f"{refusal.status} Forbidden", [("Content-Type", "application/json")])
        return [refusal.body]

    return guarded


def main(port: int) -> None:
    run_simple(
        "127.0.0.1",
        port,
        for_programs(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
