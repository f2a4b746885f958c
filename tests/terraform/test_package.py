"""The zip holds what the function needs, for the right Python and CPU, and the same every time."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.terraform.terraform_cli import ROOT
from tools import zip_rules
from tools.package_zip import APP, LIBRARY, LOCK, Package, build, files_under, unpack

pytestmark = [pytest.mark.ci, pytest.mark.timeout(180)]

LARGEST_ZIP_BYTES = 5_000_000
FUNCTION = ROOT / "src" / "lambdas" / "sse_streaming"
_ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}  # e_machine in the ELF header


def run_in(tree: Path, interpreter: str, program: str) -> str:
    """What a program prints that sees the unpacked zip and the standard library, nothing else."""
    isolated = f"import sys; sys.path.insert(0, {str(tree)!r})\n{program}"
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", "-W", "error", "-c", isolated],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_of(tree: Path) -> list[str]:
    """The service's and the library's."""
    return sorted(
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in files_under(tree)
        if path.parts[0] in (LIBRARY, APP) and path.suffix == ".py"
    )


def test_the_same_inputs_make_the_same_bytes(
    package: Package, interpreter: str, tmp_path: Path
) -> None:
    architecture = "arm64" if package.path.stem.endswith("arm64") else "x86_64"
    again = build(
        tmp_path / "again.zip",
        python="3.13",
        architecture=architecture,
        bytecode=True,
        interpreter=interpreter,
    )
    assert again.content_digest == package.content_digest
    assert again.path.read_bytes() == package.path.read_bytes()


def test_it_is_small(package: Package) -> None:
    assert package.zipped_bytes <= LARGEST_ZIP_BYTES


def test_every_module_imports_from_the_zip_alone(unpacked: Path, interpreter: str) -> None:
    modules = modules_of(unpacked)
    program = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    run_in(unpacked, interpreter, program)
    assert {"lambdas.sse_streaming.entrypoint", "lambda_streaming.runtime.loop"} <= set(modules)


def test_every_dependency_that_was_asked_for_imports(unpacked: Path, interpreter: str) -> None:
    run_in(
        unpacked,
        interpreter,
        "import boto3, aws_lambda_powertools, aws_xray_sdk.core, opentelemetry.trace\n"
        "import opentelemetry.sdk.trace\n"
        "import opentelemetry.exporter.otlp.proto.http.trace_exporter",
    )


def test_aws_clients_can_be_made(unpacked: Path, interpreter: str) -> None:
    """botocore's descriptions of all other services are left out."""
    made = "".join(
        f"session.client({service!r}, region_name='eu-west-1')\n"
        for service in sorted(zip_rules.AWS_SERVICES)
    )
    run_in(
        unpacked, interpreter, f"import boto3\nsession = boto3.session.Session('a', 'b')\n{made}"
    )


def test_every_service_that_the_source_calls_is_described() -> None:
    source = " ".join(path.read_text(encoding="utf-8") for path in FUNCTION.rglob("*.py"))
    called = set(re.findall(r'(?:clients\.make|create_client|\.client)\(\s*"([a-z0-9-]+)"', source))
    assert called
    assert called <= zip_rules.AWS_SERVICES


def test_certificates_are_found(unpacked: Path, interpreter: str) -> None:
    """botocore's own bundle is left out for certifi's."""
    where = run_in(
        unpacked, interpreter, "import botocore.httpsession as h; print(h.get_cert_path(True))"
    )
    assert Path(where.strip()).is_file()


def test_opentelemetry_finds_its_parts(unpacked: Path, interpreter: str) -> None:
    """By the metadata of the distributions, which many trimmed zips lack."""
    found = run_in(
        unpacked,
        interpreter,
        "from importlib.metadata import entry_points, version\n"
        "import json\n"
        "assert version('opentelemetry-sdk')\n"
        "print(json.dumps([e.name for e in entry_points(group='opentelemetry_propagator')\n"
        "                  if e.load()]))",
    )
    assert "tracecontext" in json.loads(found)


def test_spans_are_sent_without_requests(unpacked: Path, interpreter: str) -> None:
    """The exporter's own transport would need it, and with it a megabyte of others."""
    said = run_in(
        unpacked,
        interpreter,
        "import importlib.util, socket\n"
        "from lambda_streaming.tracing.export.otlp import OtlpExporter\n"
        "assert importlib.util.find_spec('requests') is None\n"
        "with socket.socket() as unheard:\n"
        "    unheard.bind(('127.0.0.1', 0))\n"
        "    exporter = OtlpExporter(f'http://127.0.0.1:{unheard.getsockname()[1]}')\n"
        "    print(exporter.export_within([], 5).problem)",
    )
    assert said == "ConnectionRefusedError\n"


def test_what_a_cold_start_loads_has_bytecode_that_loads(unpacked: Path, interpreter: str) -> None:
    """Bytecode of another Python, or judged by file times, would be there and ignored."""
    compiled = run_in(
        unpacked,
        interpreter,
        "import json\n"
        "from importlib.machinery import SourceFileLoader\n"
        "original, compiled = SourceFileLoader.source_to_code, []\n"
        "def source_to_code(self, data, path, **options):\n"
        "    compiled.append(path)\n"
        "    return original(self, data, path, **options)\n"
        "SourceFileLoader.source_to_code = source_to_code\n"
        "import lambdas.sse_streaming.entrypoint, lambda_streaming.tracing.export.provider\n"
        "print(json.dumps(compiled))",
    )
    assert json.loads(compiled) == []


def test_nothing_of_the_building_machine_is_in_it(package: Package) -> None:
    with zipfile.ZipFile(package.path) as archive:
        names = archive.namelist()
        infos = archive.infolist()
    assert [name for name in names if name.endswith((".pyi", "/RECORD", ".txt.lock"))] == []
    assert {re.sub(r".*\.(cpython-\d+)\.pyc", r"\1", name) for name in names if ".pyc" in name} == {
        "cpython-313"
    }
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644}
    assert names == sorted(names)
    assert not [name for name in names if "requirements" in name or "local_aws" in name]


@pytest.mark.parametrize("python", ["3.11", "3.13", "3.14"])
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_compiled_parts_are_for_the_chosen_python_and_cpu(
    architecture: str, python: str, tmp_path: Path
) -> None:
    unpack(tmp_path / "tree", python=python, architecture=architecture)
    compiled = list((tmp_path / "tree").rglob("*.so"))
    assert compiled
    machines = {int.from_bytes(path.read_bytes()[18:20], "little") for path in compiled}
    assert machines == {_ELF_MACHINES[architecture]}
    tag = f"cpython-{python.replace('.', '')}"
    assert [
        path.name for path in compiled if tag not in path.name and ".abi3." not in path.name
    ] == []


def test_the_lock_pins_what_is_required_and_more_by_hash() -> None:
    required = set(
        re.findall(r"^([a-z0-9-]+==\S+)$", (FUNCTION / "requirements.txt").read_text(), re.M)
    )
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.read_text(encoding="utf-8").split("\n", 2)[2])
    locked = {entry.split()[0] for entry in entries}
    assert required <= locked
    assert all(" --hash=sha256:" in entry for entry in entries)
    # pip would judge a marker by the Python that builds, not by the one that runs.
    assert not [entry.split()[0] for entry in entries if ";" in entry.splitlines()[0]]
