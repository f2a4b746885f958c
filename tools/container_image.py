"""Makes a container image of a zip that `make package` built.

    python -m tools.container_image                                            the service's
    python -m tools.container_image --app main:handler --folder ../my-project  an app's

The build context is the zip's files and the collector's, so an image and a zip hold the same. The
collector is AWS's layer, which no image can be given as a layer: AWS documents that its content is
copied to /opt, and ADOT documents images nowhere (seen 2026-11-21;
https://aws.amazon.com/blogs/compute/working-with-lambda-layers-and-extensions-in-container-images/,
https://github.com/aws-observability/aws-otel-collector/issues/2646).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import zip_manifest
from tools.app_package.build import zip_name as app_zip_name
from tools.elf import architecture_of
from tools.package_zip import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    DEFAULT_PYTHON,
    PYTHONS,
    ROOT,
)
from tools.package_zip import zip_name as service_zip_name

DOCKERFILE = ROOT / "Dockerfile"
SERVICE_HANDLER = "lambdas.sse_streaming.entrypoint.handler"
NO_COLLECTOR = "none"
# As modules/lambda has it; a test compares them.
COLLECTOR_LAYER = (
    "arn:aws:lambda:{region}:901920570463:layer:aws-otel-collector-{cpu}-ver-0-117-0:1"
)

_LAYER_CPUS = {"arm64": "arm64", "x86_64": "amd64"}
_DOCKER_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
_EXTENSIONS = "extensions"
_DOWNLOAD_SECONDS = 60
# Lambda takes no image index, which BuildKit makes where it adds attestations. AWS says
# --provenance=false, which docker's older builder does not know.
# https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
_DOCKER_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


class ImageError(Exception):
    """The image cannot be made of what was given; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Function:
    """What the image runs, and on which runtime."""

    handler: str
    python: str
    architecture: str
    environment: Mapping[str, str] = field(default_factory=dict)


def function_in(package: Path) -> Function:
    """As the zip's manifest and the JSON beside it say. Raises ImageError."""
    if not package.is_file():
        raise ImageError(f"{package} is not there: make package builds it")
    try:
        with zipfile.ZipFile(package) as archive:
            manifest = json.loads(archive.read(zip_manifest.NAME))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ImageError(
            f"{package} has no {zip_manifest.NAME}: build it again with make package"
        ) from error
    beside = package.with_suffix(".json")
    setting = json.loads(beside.read_text("utf-8")) if beside.is_file() else {}
    return Function(
        handler=setting.get("handler", SERVICE_HANDLER),
        python=manifest["python"],
        architecture=manifest["architecture"],
        environment=setting.get("environment", {}),
    )


def lay_out(package: Path, collector: Path | None, architecture: str, context: Path) -> None:
    """Makes `context` anew: function/ is the zip's content, opt/ the collector layer's.

    Raises ImageError.
    """
    if context.exists():
        shutil.rmtree(context)
    opt = context / "opt"
    unpack(package, context / "function")
    _folder(opt)
    if collector is None:
        return
    if collector.is_dir():
        shutil.copytree(collector, opt, dirs_exist_ok=True)
    else:
        unpack(collector, opt)
    # Lambda starts every file there, also one that it cannot run: then each invocation fails.
    started = [path for path in (opt / _EXTENSIONS).glob("*") if path.is_file()]
    if not started:
        raise ImageError(f"COLLECTOR={collector} has no file in {_EXTENSIONS}/: is it a layer?")
    for path in started:
        if architecture_of(path) not in (None, architecture):
            raise ImageError(
                f"COLLECTOR={collector}: {path.name} is for {architecture_of(path)}, the function"
                f" for {architecture}. Take the layer of the same CPU"
            )


def unpack(archive: Path, into: Path) -> None:
    """With the modes that the zip gives, as Lambda does. Lambda's user owns none of the files."""
    _folder(into)
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = Path(opened.extract(entry, into))
            for parent in path.relative_to(into).parents:
                (into / parent).chmod(0o755)
            is_program = path.is_dir() or (entry.external_attr >> 16) & 0o100
            path.chmod(0o755 if is_program else 0o644)


def docker_command(function: Function, context: Path, tag: str) -> list[str]:
    """The build that the Dockerfile is written for."""
    arguments = {
        "PYTHON_VERSION": function.python,
        "HANDLER": function.handler,
        **function.environment,
    }
    return [
        *("docker", "build", "--platform", _DOCKER_PLATFORMS[function.architecture]),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *("--file", _shown(DOCKERFILE), "--tag", tag, _shown(context)),
    ]


def layer_content(functions: Any, arn: str, cache: Path) -> Path:
    """The layer's zip, from Lambda, or as it was got before. Raises ImageError."""
    target = cache / f"{arn.replace(':', '-')}.zip"
    if target.is_file():
        return target
    content = functions.get_layer_version_by_arn(Arn=arn)["Content"]
    with urllib.request.urlopen(content["Location"], timeout=_DOWNLOAD_SECONDS) as response:
        received = response.read()
    digest = base64.b64encode(hashlib.sha256(received).digest()).decode()
    if digest != content["CodeSha256"]:
        raise ImageError(f"{arn}: what was downloaded is not the layer, its SHA-256 is {digest}")
    _folder(cache)
    unfinished = target.with_suffix(".part")
    unfinished.write_bytes(received)
    unfinished.rename(target)
    return target


def collector_for(
    given: str, function: Function, region: str | None, make_client: Callable[[str], Any]
) -> Path | None:
    """The collector that COLLECTOR names: a layer's ARN, zip or folder, `none`; not given, the
    layer that modules/lambda attaches to a zip. Raises ImageError."""
    if given == NO_COLLECTOR:
        return None
    if given and not given.startswith("arn:"):
        if not Path(given).exists():
            raise ImageError(f"COLLECTOR={given}: there is no such file or folder")
        return Path(given)
    if not given and not region:
        raise ImageError(f"the collector's layer is got from a region: export AWS_REGION. {_ELSE}")
    arn = given or COLLECTOR_LAYER.format(region=region, cpu=_LAYER_CPUS[function.architecture])
    return layer_content(make_client(arn.split(":")[3]), arn, ROOT / "build" / "collector")


_ELSE = (
    "Or give the layer's zip, COLLECTOR=layer.zip, or go without tracing the streaming phase,"
    " COLLECTOR=none"
)


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(prog="container_image", description="Make a zip an image.")
    parser.add_argument("--app", help="as it was given to make package")
    parser.add_argument("--folder", type=Path, help="as it was given to make package")
    parser.add_argument("--python", choices=PYTHONS, default=DEFAULT_PYTHON)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=DEFAULT_ARCHITECTURE)
    parser.add_argument("--package", type=Path, help="another zip that make package built")
    parser.add_argument("--collector", default="", help="a layer's ARN, zip or folder; or none")
    parser.add_argument("--tag", help="default: the zip's name")
    given = parser.parse_args(arguments)
    name = (
        app_zip_name(given.app, given.folder, given.python, given.architecture)
        if given.app
        else service_zip_name(given.python, given.architecture)
    )
    package = given.package or ROOT / "build" / name
    context = ROOT / "build" / "image" / package.stem
    try:
        function = function_in(package)
        collector = collector_for(
            given.collector, function, os.environ.get("AWS_REGION"), _lambda_client
        )
        lay_out(package, collector, function.architecture, context)
    except (BotoCoreError, ClientError, OSError) as error:
        sys.stderr.write(f"container_image: the collector could not be got: {error}. {_ELSE}\n")
        return 1
    except ImageError as error:
        sys.stderr.write(f"container_image: {error}\n")
        return 1
    return _build(function, context, given.tag or package.stem.lower())


def _lambda_client(region: str) -> Any:
    import boto3

    return boto3.session.Session(region_name=region).client("lambda")


def _build(function: Function, context: Path, tag: str) -> int:
    command = docker_command(function, context, tag)
    sys.stdout.write(f"{_shown(context)} is the build context of {_shown(DOCKERFILE)}\n")
    sys.stdout.flush()
    if shutil.which(command[0]) is None:
        why = "docker is not on PATH"
    elif (failed := _run(command)) == 0:
        sys.stdout.write(f"built {tag}: push it to ECR, and give the module its image_uri\n")
        return 0
    else:
        why = f"docker ended with {failed}; its own message is above"
    variables = [f"{name}={value}" for name, value in _DOCKER_ENVIRONMENT.items()]
    sys.stderr.write(
        f"container_image: no image was made: {why}. Where docker runs, the same image is made by:"
        f"\n  {shlex.join([*variables, *command])}\n"
    )
    return 1


def _run(command: Sequence[str]) -> int:
    environment = {**os.environ, **_DOCKER_ENVIRONMENT}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
