"""Fixtures for the module's tests.

Where Terraform or the provider is missing the tests are skipped, and the reason stands in the
summary; in CI that is a failure.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.absence import missing
from tests.fakes.cloudfront import CloudFront
from tests.fakes.xray_groups import XRayGroups
from tests.terraform.deployment import Life, client, lived
from tests.terraform.terraform_cli import (
    MIRROR_VARIABLE,
    ROOT,
    Terraform,
    TerraformFailedError,
    copy_of_module,
)
from tools.interpreters import InterpreterNotFoundError, host_architecture, interpreter_for
from tools.package_zip import DEFAULT_PYTHON as PYTHON
from tools.package_zip import Package, build, zip_name


@pytest.fixture(scope="session")
def seconds(measured: dict[str, str]) -> Iterator[dict[str, float]]:
    """What took how long."""
    spent: dict[str, float] = {}
    yield spent
    measured.update({f"terraform, {name}": f"{took:.1f} s" for name, took in spent.items()})


@pytest.fixture(scope="session")
def module(
    tmp_path_factory: pytest.TempPathFactory, seconds: dict[str, float]
) -> Iterator[Terraform]:
    """The module, initialised, in a directory that the tests may write to."""
    if shutil.which("terraform") is None:
        missing("terraform is not on PATH")
    terraform = Terraform(copy_of_module(tmp_path_factory.mktemp("terraform")))
    try:
        terraform.init()
    except TerraformFailedError as error:
        said = " ".join(str(error).split())[:400]
        missing(f"init found no AWS provider ({MIRROR_VARIABLE} can name a mirror of it): {said}")
    yield terraform
    seconds.update(terraform.seconds)


@pytest.fixture(scope="session")
def interpreter() -> str:
    """A Python of the version that the zip is for, with nothing installed that tests could use."""
    try:
        return interpreter_for(PYTHON)
    except InterpreterNotFoundError as error:
        missing(str(error))


@pytest.fixture(scope="session")
def package(
    interpreter: str, tmp_path_factory: pytest.TempPathFactory, seconds: dict[str, float]
) -> Package:
    """The function's zip for this machine's CPU, named as `make package` names it."""
    started = time.monotonic()
    built = build(
        tmp_path_factory.mktemp("package") / zip_name(PYTHON, host_architecture()),
        python=PYTHON,
        architecture=host_architecture(),
        bytecode=True,
        interpreter=interpreter,
    )
    seconds["package: build"] = time.monotonic() - started
    return built


@pytest.fixture(scope="session")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip's content, as Lambda lays it out in the task root."""
    tree = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(tree)
    return tree


@pytest.fixture(scope="session")
def runtime(interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python like the managed runtime's: its interface client, and nothing of the zip's."""
    place = tmp_path_factory.mktemp("runtime")
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    client = next(line for line in pins if line.startswith("awslambdaric=="))
    python = place / "bin" / "python"
    subprocess.run([interpreter, "-m", "venv", str(place)], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", client], check=True)
    return python


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An AWS account: the variables that lead there."""
    with _account(tmp_path_factory.mktemp("moto")) as variables:
        yield variables


@pytest.fixture(scope="module")
def own_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The same for one file, in which no other file's names are taken."""
    with _account(tmp_path_factory.mktemp("moto")) as variables:
        yield variables


@contextmanager
def _account(folder: Path) -> Iterator[dict[str, str]]:
    """moto, with stand-ins for X-Ray's groups and CloudFront."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    with XRayGroups() as xray, CloudFront() as cdn, log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
        try:
            _wait_for(port, server, log)
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ENDPOINT_URL_XRAY": xray.url,
                "AWS_ENDPOINT_URL_CLOUDFRONT": cdn.url,
            }
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="session")
def layer(aws: dict[str, str]) -> str:
    """A layer with the collector's name: moto knows no layers of other accounts."""
    cpu = {"arm64": "arm64", "x86_64": "amd64"}[host_architecture()]
    with client("lambda", aws) as functions:
        published = functions.publish_layer_version(
            LayerName=f"aws-otel-collector-{cpu}-ver-0-117-0",
            Content={"ZipFile": b"not a collector"},
        )
    arn: str = published["LayerVersionArn"]
    return arn


@pytest.fixture(scope="session")
def minimal(
    module: Terraform,
    aws: dict[str, str],
    layer: str,
    package: Package,
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> Iterator[Terraform]:
    """examples/minimal, ready to be applied with the zip of this machine's CPU."""
    place = copy_of_module(tmp_path_factory.mktemp("apply")) / "examples" / "minimal"
    variables = {
        "TF_VAR_architecture": host_architecture(),
        "TF_VAR_package_path": str(package.path),
        "TF_VAR_collector_layer_arn": layer,
    }
    terraform = Terraform(place, {**aws, **variables})
    terraform.init()
    yield terraform
    seconds.update({f"apply: {name}": spent for name, spent in terraform.seconds.items()})


@pytest.fixture(scope="session")
def life(minimal: Terraform, aws: dict[str, str], package: Package) -> Life:
    """The whole life, once; the tests read what it left in the record."""
    return lived(minimal, aws, package)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"moto did not start:\n{log.read_text()[-4000:]}")
