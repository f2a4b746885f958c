"""S3 on this computer, with a dataset of 20 MB in it: python -m examples.download.local_bucket"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import boto3
from moto.server import ThreadedMotoServer

HOST, PORT = "127.0.0.1", 5001  # as in local.env
BUCKET = "datasets"
DATASET = "brownfield-land"

logger = logging.getLogger(__name__)


def rows(count: int) -> Iterator[str]:
    yield "entity,name,organisation-entity\r\n"
    for number in range(count):
        yield f'{number},"Site {number}, formerly a ""works""",org-{number % 10}\r\n'


def fill(url: str, row_count: int) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=f"{DATASET}.csv", Body="".join(rows(row_count)).encode())


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(HOST, PORT)
    server.start()
    fill(f"http://{HOST}:{PORT}", 400_000)
    logger.info("s3://%s/%s.csv at http://%s:%s; Ctrl-C ends it", BUCKET, DATASET, HOST, PORT)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
