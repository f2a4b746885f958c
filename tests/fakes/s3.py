"""S3 for a test: moto's server, and single objects whose answers the test makes itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.fakes.local import WAIT_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


class LocalS3:
    """`answers` are by path: `/bucket/key`."""

    def __init__(self) -> None:
        self.answers: dict[str, WSGIApplication] = {}
        self.url = ""
        self._moto = DomainDispatcherApplication(create_backend_app)

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.answers.get(environ["PATH_INFO"], self._moto)
        return answer(environ, start_response)

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def put(self, bucket: str, key: str, body: bytes) -> None:
        client = self.client
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=body)

    @property
    def environ(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL_S3": self.url}


@contextmanager
def local_s3() -> Iterator[LocalS3]:
    s3 = LocalS3()
    server = make_server(
        "127.0.0.1", 0, s3.app, threaded=True, request_handler=_SilentRequestHandler
    )
    s3.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        thread.join(WAIT_SECONDS)
        server.server_close()


class _SilentRequestHandler(MotoRequestHandler):
    def log(self, *_: object) -> None:
        pass


def denied(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """As S3 answers a role without s3:GetObject."""
    start_response("403 Forbidden", [("content-type", "application/xml")])
    return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]


class HeldObject:
    """Sends its first part, and the second one when the test says so."""

    def __init__(self, first: bytes, second: bytes) -> None:
        self._parts = first, second
        self.may_go_on = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = sum(map(len, self._parts))
        start_response("200 OK", [("content-length", str(length))])
        yield self._parts[0]
        assert self.may_go_on.wait(WAIT_SECONDS)
        yield self._parts[1]
