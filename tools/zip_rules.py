"""What belongs in the zip, as rules about paths. Pure: no file is read here.

Every rule that drops something is checked by the tests, which import each module and make each
AWS client from the unpacked zip alone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import PurePosixPath

from tools.cold_start_modules import AWS_CLIENTS, imports_of

# botocore carries a description of every AWS service, 21 of its 24 MB. The function calls two;
# importing the X-Ray SDK makes an X-Ray client, although nothing ever calls it.
AWS_SERVICES = frozenset({*AWS_CLIENTS, "xray"})

# Parts of the dependencies that the function has no use for, largest first.
_UNUSED = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/batch",
    "aws_lambda_powertools/utilities/data_classes",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "botocore/cacert.pem",  # botocore takes certifi's bundle when certifi can be imported
    "boto3/examples",
    "dateutil/zoneinfo",  # Lambda has a time zone database of its own
    "google/api",  # googleapis-common-protos; OTLP uses none of these
    "google/cloud",
    "google/gapic",
    "google/logging",
    "google/longrunning",
    "google/shopping",
    "google/type",
    # The OTLP exporter requires requests for its own transport, and is given another
    # (tracing/export/otlp.py).
    "charset_normalizer",
    "idna",
    "requests",
    "certifi/tests",
    "wrapt-stubs",
    "bin",
)

# Of a distribution's metadata: OpenTelemetry finds its parts by entry_points.txt, and
# importlib.metadata reads METADATA. RECORD and the rest describe an installation, not this one.
_METADATA_KEPT = frozenset({"METADATA", "entry_points.txt"})

_SOURCE_ONLY = frozenset({".proto", ".pyi", ".pyx", ".pxd", ".c", ".h"})


def dependency_belongs(path: PurePosixPath) -> bool:
    """Whether a file that pip unpacked is shipped."""
    if "__pycache__" in path.parts or path.suffix in _SOURCE_ONLY:
        return False
    if any(path.is_relative_to(unused) for unused in _UNUSED):
        return False
    top = path.parts[0]
    if top.endswith(".dist-info"):
        return path.name in _METADATA_KEPT or "license" in str(path).lower()
    if top in {"botocore", "boto3"} and path.parts[1] == "data" and len(path.parts) > 3:
        return path.parts[2] in AWS_SERVICES and not path.name.startswith("examples-")
    return True


def source_belongs(path: PurePosixPath) -> bool:
    """Whether a file of the library or the service is shipped: the code, not its build inputs."""
    return (
        "__pycache__" not in path.parts
        and not path.name.startswith(".")
        and path.suffix not in {".txt", ".lock", ".md"}
        and path.name != "py.typed"
    )


def reached(sources: Mapping[PurePosixPath, str], app: str) -> set[PurePosixPath]:
    """Which of these Python files `app` (a package) needs: its own, and whatever is imported from
    there on, anywhere in a file.

    A package whose names are imported lazily (for type checkers they stand under TYPE_CHECKING)
    needs the module of each name that is imported from it.
    """
    modules = {_module_of(path): path for path in sources}
    packages = {name for name, path in modules.items() if path.stem == "__init__"}
    lazy = {name: _lazy_names(sources[modules[name]]) for name in packages}
    found: set[PurePosixPath] = set()
    pending = [name for name in modules if name.split(".")[0] == app]
    while pending:
        name = pending.pop()
        parent, _, member = name.rpartition(".")
        if name not in modules:
            needed = [lazy.get(parent, {}).get(member, "")]
        elif (path := modules[name]) not in found:
            found.add(path)
            needed = list(imports_of(sources[path], name if name in packages else parent))
        else:
            continue
        pending += filter(None, (parent, *needed))
    return found


def _module_of(path: PurePosixPath) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _lazy_names(source: str) -> dict[str, str]:
    """The names that are imported for type checkers only, with their modules."""
    return {
        alias.asname or alias.name: node.module or ""
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def part_of(path: PurePosixPath) -> str:
    """The name under which sizes are added up: a package and its metadata are one part."""
    top = path.parts[0]
    if top == "__pycache__":
        top = path.name.split(".")[0]
    name = top.removesuffix(".dist-info")
    if name != top:
        name = name.rsplit("-", 1)[0]
    name = name.removesuffix(".py")
    if name.startswith(("opentelemetry", "google")):
        return name.split("_")[0].removesuffix("apis")
    return {"protobuf": "google", "python_dateutil": "dateutil"}.get(name, name)


def platform_tags(architecture: str, python: str) -> tuple[str, ...]:
    """The wheel platforms that load in the managed runtime.

    python3.12 and later run on Amazon Linux 2023 (glibc 2.34), python3.11 on Amazon Linux 2
    (2.26): https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html. pip takes only the
    tags that it is given, so the older one is named as well.
    """
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
    tags = [f"manylinux2014_{machine}", f"manylinux_2_17_{machine}"]
    if tuple(int(part) for part in python.split(".")) >= (3, 12):
        tags.insert(0, f"manylinux_2_28_{machine}")
    return tuple(tags)
