"""What the targets of the Makefile run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_aws import commands
from local_aws.__main__ import main
from local_aws.feed.tables import TableNames
from local_aws.state_file import RunningStack

ROOT = Path(__file__).resolve().parents[3]


def printed_by_make(*arguments: str) -> str:
    """What a target would run."""
    return make("--dry-run", *arguments).replace("\\\n", " ")


def make(*arguments: str) -> str:
    done = run_make(*arguments, path=os.environ["PATH"])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_make(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    """Without the variables of the `make` that runs the tests."""
    return subprocess.run(
        [shutil.which("make") or "make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plan_is_for_the_python_that_the_zip_is_built_for() -> None:
    printed = printed_by_make("plan", "PYTHON_VERSION=3.12", "ARCH=x86_64")
    assert "--python 3.12 --architecture x86_64" in printed
    assert "plan -var architecture=x86_64 -var python_version=3.12" in printed


def test_a_zip_can_be_built_without_that_python() -> None:
    assert "--no-bytecode" in printed_by_make("package", "NO_BYTECODE=1")
    printed = printed_by_make("package", "INTERPRETER=/elsewhere/python3.13")
    assert '--interpreter "/elsewhere/python3.13"' in printed
    assert "--no-bytecode" not in printed


def test_the_services_zip_is_built_where_no_app_is_named() -> None:
    plain = "-m tools.package_zip --python 3.13 --architecture arm64"
    printed = printed_by_make("package").rpartition("tools.patiently")[2]
    assert printed.split() == f'--output "Building the zip" .venv/bin/python {plain}'.split()


def test_the_zip_of_an_app_is_built_where_one_is_named() -> None:
    printed = printed_by_make("package", "APP=main:create()", "APP_DIR=../my shop", "ARCH=x86_64")
    told = '-m tools.app_package "main:create()" --extras "tracing" --folder "../my shop"'
    assert f"{told} --python 3.13 --architecture x86_64" in " ".join(printed.split())
    assert "tools.package_zip" not in printed
    assert '--extras "" ' in printed_by_make("package", "APP=main:app", "EXTRAS=")
    assert "--folder" not in printed_by_make("package", "APP=examples.chat.app:handler")


def test_an_image_is_made_of_the_zip_that_was_built() -> None:
    printed = printed_by_make("image", "APP=main:app", "APP_DIR=../shop", "COLLECTOR=none")
    zipped, image = " ".join(printed.split()).rpartition("tools.patiently")[::2]
    assert '-m tools.app_package "main:app"' in zipped
    assert "--for-image" in zipped
    assert "--for-image" not in printed_by_make("package", "APP=main:app")
    named = '--app "main:app" --folder "../shop" --python 3.13 --architecture arm64'
    assert f"-m tools.container_image {named} --collector" in image


def test_a_folder_without_an_app_is_not_packaged() -> None:
    done = run_make("--dry-run", "package", "APP_DIR=../shop", path=os.environ["PATH"])
    assert done.returncode != 0
    assert "Say which app: make package APP=main:handler APP_DIR=../shop" in done.stderr


def test_the_bench_is_told_what_to_measure() -> None:
    printed = printed_by_make("bench", "ROWS=loop,cold", "BASE=main", "JSON=bench.json", "FULL=1")
    assert '-m tests.bench --rows "loop,cold" --base "main" --json "bench.json" --full' in printed
    assert "--" not in printed_by_make("bench").split("-m tests.bench")[1]
    assert "-m tests.bench --peers" in printed_by_make("bench-peers")


def test_the_stack_is_told_which_app_to_run() -> None:
    printed = printed_by_make("run", "APP=main:handler", "APP_DIR=../my app", "ENV_FILE=.env")
    told = 'PORT="" APP="main:handler" APP_DIR="../my app" ENV_FILE=".env"'
    assert f"{told} PYTHONPATH=src .venv/bin/python -m local_aws run" in printed


def test_clean_removes_what_the_targets_made(tmp_path: Path) -> None:
    made = [
        *(".venv/bin", ".venv-checkov/bin", ".local", "build"),
        "modules/lambda/examples/minimal/.terraform/providers",
    ]
    for folder in made:
        (tmp_path / folder).mkdir(parents=True)
    state = tmp_path / "modules/lambda/examples/minimal/terraform.tfstate"
    state.write_text("what is deployed", encoding="utf-8")
    make("--directory", str(tmp_path), "--file", str(ROOT / "Makefile"), "clean")
    assert [folder for folder in made if (tmp_path / folder).exists()] == []
    assert state.exists(), "without its state a deployment cannot be changed or destroyed"


def test_a_trace_is_asked_of_the_running_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "-m local_aws trace 1-2-3" in printed_by_make("trace", "ID=1-2-3")
    file = tmp_path / "stack.json"
    monkeypatch.setenv("LOCAL_STATE_FILE", str(file))
    assert main(["trace", "1-2-3"]) == 1
    assert "Start one with: make run" in capsys.readouterr().err
    RunningStack(
        pid=os.getpid(),
        url="http://127.0.0.1:2",
        console_url="http://127.0.0.1:1",
        dynamodb_url="http://127.0.0.1:3",
        tables=TableNames(items_index="by_time"),
    ).write(file)
    asked: list[str] = []

    def get(url: str) -> None:
        asked.append(url)
        raise LookupError("asked")

    monkeypatch.setattr(commands, "_get", get)
    assert main(["trace", "1-2-3"]) == 1
    assert asked == ["http://127.0.0.1:1/api/traces/1-2-3"]


@pytest.mark.parametrize("target", ["run", "publish", "drain", "trace"])
def test_a_port_that_is_given_chooses_the_stack(target: str) -> None:
    assert 'PORT="9080" ' in printed_by_make(target, "PORT=9080", "FILE=items.jsonl")
    assert 'PORT="" ' in printed_by_make(target, "FILE=items.jsonl")


def test_drain_needs_no_table() -> None:
    (*_, own_command) = printed_by_make("drain", "UNTIL=+60").splitlines()  # after setting up
    assert 'drain "" +60' in own_command
    assert "exit 1" not in own_command
    assert 'drain "mine" ' in printed_by_make("drain", "TABLE=mine")


SILENT = ["-m venv", "pip install", "npm install", "bin/mypy", "tools.package_zip"]


@pytest.mark.parametrize("command", SILENT)
def test_what_is_silent_for_long_shows_that_it_goes_on(command: str) -> None:
    printed = printed_by_make("--always-make", "setup", "checkov", "lint", "package")
    commands = [line for line in printed.splitlines() if command in line]
    assert commands
    assert [line for line in commands if "-m tools.patiently" not in line] == []


class Venv:
    """A virtual environment that is ready but for the DynamoDB engine, and a PATH with an npm that
    can be missing or fail.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self._bin = folder / "venv", folder / "bin"
        for one in (self.path / "bin", self._bin):
            one.mkdir(parents=True)
        (self.path / "bin/python").symlink_to(sys.executable)
        for stamp in (".python", ".packages"):
            (self.path / stamp).touch()
        for tool in ("sh", "env", "touch", "find", "rm", "uname", "tr", "mkdir"):
            (self._bin / tool).symlink_to(shutil.which(tool) or tool)
        self._calls = folder / "calls"

    def has_npm(self, *, works: bool) -> None:
        install = 'while [ $# -gt 2 ]; do shift; done; d="$1/node_modules/${2%@*}"; mkdir -p "$d"'
        ends = f'{install}; touch "$d/dynoxide"' if works else 'echo "npm error no network"; exit 1'
        self.adds("npm", f'echo called >> "{self._calls}"; {ends}')

    def adds(self, command: str, program: str) -> None:
        script = self._bin / command
        script.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
        script.chmod(0o755)

    @property
    def npm_calls(self) -> int:
        return len(self._calls.read_text().splitlines()) if self._calls.exists() else 0

    def setup(self, *variables: str) -> subprocess.CompletedProcess[str]:
        return run_make("setup", f"VENV={self.path}", *variables, path=str(self._bin))


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path)


def test_the_engine_is_installed_once_npm_has_appeared(venv: Venv) -> None:
    assert "npm is missing" in venv.setup().stdout
    assert venv.setup().stdout == "", "said once"
    venv.has_npm(works=True)
    assert "Installing the DynamoDB engine" in venv.setup().stdout
    assert venv.setup().returncode == 0
    assert venv.npm_calls == 1


def test_an_engine_that_could_not_be_installed_is_tried_again_an_hour_later(venv: Venv) -> None:
    venv.has_npm(works=False)
    said = venv.setup()
    assert said.returncode == 0
    assert "npm error no network" in said.stdout
    assert "moto stands in for DynamoDB" in said.stdout
    assert venv.setup().stdout == "", "not at each run"
    assert venv.npm_calls == 1
    venv.has_npm(works=True)
    an_hour_ago = time.time() - 3660
    os.utime(venv.path / ".dynoxide-failed", (an_hour_ago, an_hour_ago))
    assert "Installing the DynamoDB engine" in venv.setup().stdout
    assert venv.setup().returncode == 0
    assert venv.npm_calls == 2


def test_a_python_that_the_virtual_environment_does_not_have_is_refused(venv: Venv) -> None:
    venv.has_npm(works=True)
    venv.adds("python9", "echo '9.9.9 (stub)'")
    has = f"{venv.path} has Python {sys.version.split()[0]}"
    for python, what in (("python9", "is 9.9.9 (stub)"), ("python8", "does not run")):
        refused = venv.setup(f"PYTHON={python}")
        assert refused.returncode != 0
        assert f"{has}, but PYTHON={python} {what}\n" in refused.stdout
        assert "VENV=" in refused.stdout
    assert venv.npm_calls == 0
    assert venv.setup(f"PYTHON={sys.executable}").returncode == 0


def test_the_probe_is_asked_at_the_front_doors_that_are_given() -> None:
    printed = printed_by_make("verify-aws", "APP=probe", "URL=https://u", "CONCURRENCY=5")
    told = " ".join(printed.split()).rpartition(" -m ")[2]
    assert told == 'tools.aws_questions --url "https://u" --concurrency 5'
    both = " ".join(printed_by_make("verify-aws", "URL=https://u", "FUNCTION=f").split())
    assert both.endswith('-m tools.verify_aws --url "https://u" --function "f"')


def test_verify_aws_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    bare = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HOME"))
    }
    nothing = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }

    def said(url: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tools.verify_aws"),
                *("--url", url, "--function", "sse-streaming"),
            ],
            cwd=ROOT,
            env={**bare, **nothing},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        return done.stderr

    # The region is in the host.
    assert said("https://abc.lambda-url.eu-west-1.on.aws/") == (
        "verify_aws: AWS credentials are missing: export AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY\n"
    )
    assert said("https://d1.cloudfront.net/") == (
        "verify_aws: no region is known: export AWS_REGION\n"
    )
