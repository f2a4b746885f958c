from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.package_zip import APP, own_files
from tools.zip_rules import dependency_belongs, part_of, platform_tags, reached, source_belongs


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
        "requests/sessions.py",
    ],
)
def test_left_out(path: str) -> None:
    assert not dependency_belongs(PurePosixPath(path))


def test_of_the_source_only_code_is_shipped() -> None:
    assert source_belongs(PurePosixPath("sse_streaming/stream.py"))
    assert not source_belongs(PurePosixPath("sse_streaming/requirements.txt"))
    assert not source_belongs(PurePosixPath("sse_streaming/requirements.lock"))
    assert not source_belongs(PurePosixPath("sse_streaming/__pycache__/stream.cpython-311.pyc"))
    assert not source_belongs(PurePosixPath("lambda_streaming/py.typed"))


# An app and a library, each import in another form.
SOURCES = {
    "app/entrypoint.py": "from library import serve\nimport library.clock",
    "app/unreferenced.py": "",
    "library/__init__.py": (
        "from library.version import __version__\n"
        "if TYPE_CHECKING:\n"
        "    from library.serving import serve\n"
        "    from library.bridge.adapter import bridge\n"
    ),
    "library/version.py": "",
    "library/clock.py": "",
    "library/serving.py": (
        "from .rooms.wire import Wire\n"
        "def late():\n    from library import late\n"
        "if TYPE_CHECKING:\n    from library import typed\n"
    ),
    "library/late.py": "from library.serving import serve",
    "library/typed.py": "",
    "library/rooms/__init__.py": "",
    "library/rooms/wire.py": "from ..rooms import framing\nimport json",
    "library/rooms/framing.py": "from . import framing",
    "library/rooms/unused.py": "",
    "library/bridge/adapter.py": "",
}


def test_of_the_library_is_shipped_what_the_app_reaches() -> None:
    sources = {PurePosixPath(path): text for path, text in SOURCES.items()}

    left_out = {str(path) for path in sources.keys() - reached(sources, "app")}

    assert left_out == {
        "library/typed.py",
        "library/rooms/unused.py",
        "library/bridge/adapter.py",
    }


def test_the_service_and_what_it_uses_is_shipped() -> None:
    files = set(map(str, own_files()))

    assert "lambda_streaming/runtime/loop.py" in files
    assert {path for path in files if path.startswith(APP)} >= {
        "lambdas/sse_streaming/entrypoint.py",
        "lambdas/sse_streaming/feeds/feed.py",
    }
    assert not {path for path in files if path.endswith((".txt", ".lock", ".typed"))}


def test_a_package_and_its_metadata_are_one_part() -> None:
    names = ("botocore/session.py", "botocore-1.44.5.dist-info/METADATA")
    assert {part_of(PurePosixPath(name)) for name in names} == {"botocore"}
    assert part_of(PurePosixPath("__pycache__/six.cpython-313.pyc")) == "six"
    assert part_of(PurePosixPath("opentelemetry_sdk-1.45.2.dist-info/METADATA")) == "opentelemetry"


def test_older_pythons_run_on_an_older_c_library() -> None:
    assert "manylinux_2_28_aarch64" in platform_tags("arm64", "3.13")
    assert "manylinux_2_28_x86_64" not in platform_tags("x86_64", "3.11")
