from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.zip_rules import dependency_belongs, part_of, platform_tags, source_belongs


@pytest.mark.parametrize(
    "path",
    [
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/xray/2016-04-12/service-2.json.gz",
        "botocore/data/partitions.json",
        "botocore/session.py",
        "opentelemetry_api-1.45.2.dist-info/entry_points.txt",
        "opentelemetry_api-1.45.2.dist-info/licenses/LICENSE",
        "wrapt/_wrappers.cpython-313-aarch64-linux-gnu.so",
        "aws_lambda_powertools/utilities/jmespath_utils/__init__.py",
    ],
)
def test_shipped(path: str) -> None:
    assert dependency_belongs(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
        "botocore/cacert.pem",
        "botocore/__pycache__/session.cpython-311.pyc",
        "aws_lambda_powertools/event_handler/api_gateway.py",
        "google/type/date_pb2.py",
        "wrapt/__init__.pyi",
        "wrapt-2.5.2.dist-info/RECORD",
        "bin/jp.py",
    ],
)
def test_left_out(path: str) -> None:
    assert not dependency_belongs(PurePosixPath(path))


def test_of_the_source_only_code_is_shipped() -> None:
    assert source_belongs(PurePosixPath("sse_streaming/stream.py"))
    assert not source_belongs(PurePosixPath("sse_streaming/requirements.txt"))
    assert not source_belongs(PurePosixPath("sse_streaming/requirements.lock"))
    assert not source_belongs(PurePosixPath("sse_streaming/__pycache__/stream.cpython-311.pyc"))


def test_a_package_and_its_metadata_are_one_part() -> None:
    names = ("botocore/session.py", "botocore-1.44.5.dist-info/METADATA")
    assert {part_of(PurePosixPath(name)) for name in names} == {"botocore"}
    assert part_of(PurePosixPath("__pycache__/six.cpython-313.pyc")) == "six"
    assert part_of(PurePosixPath("opentelemetry_sdk-1.45.2.dist-info/METADATA")) == "opentelemetry"


def test_older_pythons_run_on_an_older_c_library() -> None:
    assert "manylinux_2_28_aarch64" in platform_tags("arm64", "3.13")
    assert "manylinux_2_28_x86_64" not in platform_tags("x86_64", "3.11")
