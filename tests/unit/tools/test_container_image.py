"""What an image is built of, checked without docker: the zip's files, the base's entrypoint."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.app_package.test_files import folder_of
from tools import container_image, zip_manifest
from tools.container_image import (
    COLLECTOR_LAYER,
    DOCKERFILE,
    SERVICE_HANDLER,
    Function,
    ImageError,
    collector_for,
    docker_command,
    function_in,
    lay_out,
    layer_content,
)
from tools.package_zip import ROOT, write_zip

ELF = {"x86_64": b"\x7fELF" + bytes(14) + b"\x3e\0", "arm64": b"\x7fELF" + bytes(14) + b"\xb7\0"}
ARN = "arn:aws:lambda:eu-west-1:1:layer:collector:1"
FUNCTION = Function("main.handler", "3.13", "arm64")


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """Under which new files are their owner's alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def zip_of(tree: Path, output: Path) -> Path:
    zip_manifest.place(tree, "3.13", "arm64")
    return write_zip(tree, output).path


def layer_of(place: Path, architecture: str = "arm64") -> Path:
    """A collector's layer, zipped as AWS's is."""
    program = zipfile.ZipInfo("extensions/collector")
    program.external_attr = 0o100755 << 16
    with zipfile.ZipFile(place, "w") as layer:
        layer.writestr(program, ELF[architecture])
        layer.writestr("collector-config/config.yaml", "receivers:")
    return place


def instructions(name: str) -> list[str]:
    """Of the Dockerfile, without their names."""
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{name} ")]


def modes(tree: Path) -> dict[str, int]:
    return {str(path.relative_to(tree)): path.stat().st_mode & 0o777 for path in tree.rglob("*")}


def test_it_holds_what_the_zip_and_the_layer_hold_readable_for_lambdas_user(
    tmp_path: Path, strict_umask: None
) -> None:
    tree = folder_of(tmp_path / "tree", **{"main.py": "x", "pkg/tool": "#!/bin/sh"})
    (tree / "pkg" / "tool").chmod(0o755)
    context = tmp_path / "context"
    lay_out(zip_of(tree, tmp_path / "a.zip"), layer_of(tmp_path / "l.zip"), "arm64", context)

    assert modes(context) == {
        "function": 0o755,
        "function/main.py": 0o644,
        "function/pkg": 0o755,
        "function/pkg/tool": 0o755,
        f"function/{zip_manifest.NAME}": 0o644,
        "opt": 0o755,
        "opt/collector-config": 0o755,
        "opt/collector-config/config.yaml": 0o644,
        "opt/extensions": 0o755,
        "opt/extensions/collector": 0o755,
    }


def test_the_dockerfile_copies_what_is_laid_out_and_takes_what_is_given(tmp_path: Path) -> None:
    context = tmp_path / "context"
    lay_out(zip_of(tmp_path / "tree", tmp_path / "a.zip"), None, "arm64", context)

    sources = [copied.split()[0] for copied in instructions("COPY")]
    assert sorted(sources) == sorted(f"{path.name}/" for path in context.iterdir())

    arguments = dict(argument.split("=", 1) for argument in instructions("ARG"))
    function = Function("m.handler", "3.13", "arm64", {"STREAMING_APP": "main:app"})
    given = [
        part.removeprefix("--build-arg=").split("=", 1)[0]
        for part in docker_command(function, context, "tag")
        if part.startswith("--build-arg=")
    ]
    assert set(given) == set(arguments)
    assert arguments["HANDLER"] == SERVICE_HANDLER


@pytest.mark.parametrize(
    ("command", "handler"), [((), "main.handler"), (("other.run",), "other.run")]
)
def test_the_base_images_entrypoint_gets_one_handler(
    command: tuple[str, ...], handler: str, tmp_path: Path
) -> None:
    """The image's own, or the command of the function's configuration."""
    base = tmp_path / "lambda-entrypoint.sh"
    base.write_text('#!/bin/sh\necho "$# $1"\n')
    base.chmod(0o755)
    (entrypoint,) = instructions("ENTRYPOINT")
    shell = [part.replace("/lambda-entrypoint.sh", str(base)) for part in json.loads(entrypoint)]
    done = subprocess.run(
        [*shell, *command], env={"IMAGE_HANDLER": "main.handler"}, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"1 {handler}\n"


def test_a_zip_says_what_its_image_runs(tmp_path: Path) -> None:
    package = zip_of(tmp_path / "tree", tmp_path / "a.zip")
    assert function_in(package) == Function(SERVICE_HANDLER, "3.13", "arm64")

    setting = {"handler": "e.handler", "environment": {"STREAMING_APP": "main:app"}}
    package.with_suffix(".json").write_text(json.dumps(setting))
    expected = Function("e.handler", "3.13", "arm64", {"STREAMING_APP": "main:app"})
    assert function_in(package) == expected


def test_a_zip_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        old.writestr("main.py", "")
    with pytest.raises(ImageError, match="build it again with make package"):
        function_in(tmp_path / "old.zip")
    with pytest.raises(ImageError, match="make package builds it"):
        function_in(tmp_path / "none.zip")


def test_a_collector_that_could_not_start_is_refused(tmp_path: Path) -> None:
    package = zip_of(tmp_path / "tree", tmp_path / "a.zip")
    with pytest.raises(ImageError, match="collector is for x86_64, the function for arm64"):
        lay_out(package, layer_of(tmp_path / "l.zip", "x86_64"), "arm64", tmp_path / "c")
    with pytest.raises(ImageError, match="is it a layer"):
        lay_out(package, package, "arm64", tmp_path / "c")


class LayerClient:
    """Lambda's answer about a layer."""

    def __init__(self, content: Path, digest: str) -> None:
        self.content, self.digest, self.asked = content, digest, list[str]()

    def get_layer_version_by_arn(self, *, Arn: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(Arn)
        return {"Content": {"Location": self.content.as_uri(), "CodeSha256": self.digest}}


def test_the_layer_is_got_once_and_compared_with_its_digest(tmp_path: Path) -> None:
    layer = layer_of(tmp_path / "l.zip")
    digest = base64.b64encode(hashlib.sha256(layer.read_bytes()).digest()).decode()
    client = LayerClient(layer, digest)
    for _ in range(2):
        content = layer_content(client, ARN, tmp_path / "cache")
        assert content.read_bytes() == layer.read_bytes()
    assert client.asked == [ARN]

    with pytest.raises(ImageError, match="is not the layer"):
        layer_content(LayerClient(layer, "other"), ARN, tmp_path / "another")


def test_the_collector_is_the_layer_that_the_module_attaches_to_a_zip() -> None:
    version = re.compile(r"901920570463:layer:|aws-otel-collector-|-ver-[0-9-]+:[0-9]+")
    sources = (ROOT / "modules" / "lambda").rglob("*.tf")
    of_module = {part for path in sources for part in version.findall(path.read_text("utf-8"))}
    assert set(version.findall(COLLECTOR_LAYER)) <= of_module
    assert len([part for part in of_module if part.startswith("-ver-")]) == 1


def test_which_collector_is_named(tmp_path: Path) -> None:
    def no_client(region: str) -> Any:
        raise AssertionError(f"nothing is asked in {region}")

    assert collector_for("none", FUNCTION, None, no_client) is None
    assert collector_for(str(tmp_path), FUNCTION, None, no_client) == tmp_path
    with pytest.raises(ImageError, match="no such file or folder"):
        collector_for("away.zip", FUNCTION, None, no_client)
    with pytest.raises(ImageError, match=r"export AWS_REGION.*COLLECTOR=none"):
        collector_for("", FUNCTION, None, no_client)


def test_without_docker_everything_else_is_made_and_the_command_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = zip_of(tmp_path / "tree", tmp_path / "a.zip")
    monkeypatch.setattr(container_image, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", "")

    status = container_image.main(["--package", str(package), "--collector", "none"])

    assert status == 1
    assert (tmp_path / "build" / "image" / "a" / "function" / zip_manifest.NAME).is_file()
    said = capsys.readouterr().err
    assert "no image was made: docker is not on PATH" in said
    assert "docker build --platform linux/arm64 --build-arg=PYTHON_VERSION=3.13" in said
