"""What the routes depend on: settings, and the datasets."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from fastapi import Depends, Request
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_BLOCK_BYTES = 64 * 1024


class Settings(BaseSettings):
    """Read once, at import; a bad variable fails the init with its name."""

    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    dataset_bucket: str = Field(validation_alias="DATASET_BUCKET", min_length=3, max_length=63)
    environment: Literal["development", "production"] = Field(
        default="production", validation_alias="ENVIRONMENT"
    )


class NoSuchDataset(Exception):
    """There is no such object in the bucket."""


class NoSuchColumn(Exception):
    """The dataset has no column of this name."""


class Dataset:
    """An open object of S3, to be read once: RFC 4180, in UTF-8."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self._first = body.read(_BLOCK_BYTES)

    def close(self) -> None:
        self._body.close()

    def blocks(self) -> Iterator[bytes]:
        """As they come from S3."""
        try:
            block = self._first
            while block:
                yield block
                block = self._body.read(_BLOCK_BYTES)
        finally:
            self.close()

    def rows_with(self, column: str, value: str) -> Iterator[bytes]:
        """The header, and the rows with this value: those that one block of S3's completes leave
        together, before the next block is asked for. Raises NoSuchColumn, at once."""
        texts = _whole_rows(self.blocks())
        rows = _read(next(texts, ""))
        header = next(rows, [])
        if column not in header:
            self.close()
            raise NoSuchColumn(column)
        index = header.index(column)

        def matching(rows: Iterable[list[str]]) -> list[list[str]]:
            return [row for row in rows if len(row) > index and row[index] == value]

        def written() -> Iterator[bytes]:
            try:
                yield _written([header, *matching(rows)])
                for text in texts:
                    if found := matching(_read(text)):
                        yield _written(found)
            finally:
                self.close()

        return written()


def _whole_rows(blocks: Iterable[bytes]) -> Iterator[str]:
    """A line may end inside of a row: where the quotes before it are odd in number."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    begun = ""
    for block in blocks:
        begun += decoder.decode(block)
        end = begun.rfind("\n")
        while end >= 0 and begun.count('"', 0, end) % 2:
            end = begun.rfind("\n", 0, end)
        whole, begun = begun[: end + 1], begun[end + 1 :]
        if whole:
            yield whole
    if begun:
        yield begun


def _read(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""))


def _written(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


class S3Datasets:
    """The bucket's `*.csv`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        # A read that hangs fails the download, instead of holding it until the deadline.
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 3})
        self._s3 = boto3.client("s3", config=config)

    def open(self, name: str) -> Dataset:
        """Raises NoSuchDataset."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=f"{name}.csv")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                raise NoSuchDataset(name) from error
            raise
        return Dataset(answer["Body"])


def datasets_of(request: Request) -> S3Datasets:
    datasets: S3Datasets = request.app.state.datasets
    return datasets


Datasets = Annotated[S3Datasets, Depends(datasets_of)]
