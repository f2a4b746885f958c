"""What the targets of the Makefile run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws import waterfall_text
from local_aws.state_file import RunningStack
from local_aws.tables import TableNames

ROOT = Path(__file__).resolve().parents[3]


def printed_by_make(*arguments: str) -> str:
    """What a target would run."""
    return make("--dry-run", "--no-print-directory", *arguments)


def make(*arguments: str) -> str:
    """Without the variables of the `make` that runs the tests."""
    done = subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plan_is_for_the_python_that_the_zip_is_built_for() -> None:
    printed = printed_by_make("plan", "PYTHON_VERSION=3.12", "ARCH=x86_64")
    assert "--python 3.12 --architecture x86_64" in printed
    assert "plan -var architecture=x86_64 -var python_version=3.12" in printed


def test_a_zip_can_be_built_without_that_python() -> None:
    assert "--no-bytecode" in printed_by_make("package", "NO_BYTECODE=1")
    printed = printed_by_make("package", "INTERPRETER=/elsewhere/python3.13")
    assert '--interpreter "/elsewhere/python3.13"' in printed
    assert "--no-bytecode" not in printed


def test_the_bench_is_told_what_to_measure() -> None:
    printed = printed_by_make("bench", "ROWS=loop,cold", "BASE=main", "JSON=bench.json", "FULL=1")
    assert '-m tests.bench --rows "loop,cold" --base "main" --json "bench.json" --full' in printed
    assert "--" not in printed_by_make("bench").split("-m tests.bench")[1]
    assert "-m tests.bench --peers" in printed_by_make("bench-peers")


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
    assert 'waterfall_text "" 1-2-3' in printed_by_make("trace", "ID=1-2-3")
    file = tmp_path / "stack.json"
    monkeypatch.setenv("LOCAL_STATE_FILE", str(file))
    assert waterfall_text.main(["", "1-2-3"]) == 1
    assert "Start one with: make run" in capsys.readouterr().err
    RunningStack(
        pid=os.getpid(),
        url="http://127.0.0.1:2",
        console_url="http://127.0.0.1:1",
        dynamodb_url="http://127.0.0.1:3",
        tables=TableNames(),
    ).write(file)
    asked: list[str] = []

    def get(url: str) -> None:
        asked.append(url)
        raise LookupError("asked")

    monkeypatch.setattr(waterfall_text, "_get", get)
    assert waterfall_text.main(["", "1-2-3"]) == 1
    assert asked == ["http://127.0.0.1:1/api/traces/1-2-3"]


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
