"""What belongs in the zip, as rules about paths. Pure: no file is read here.

Every rule that drops something is checked by the tests, which import each module and make each
AWS client from the unpacked zip alone.
"""

from __future__ import annotations

from pathlib import PurePosixPath

# botocore carries a description of every AWS service, 21 of its 24 MB. The function calls the
# first two; importing the X-Ray SDK makes an X-Ray client, although nothing ever calls it.
AWS_SERVICES = frozenset({"dynamodb", "cloudwatch", "xray"})

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
    # The OTLP exporter's own way to send; the function gives it another (tracing/export/otlp.py).
    "requests",
    "charset_normalizer",
    "idna",
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
    )


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
