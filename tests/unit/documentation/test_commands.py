"""What pages tell people to type can be typed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.unit.documentation.pages import PAGES, ROOT, code_of, text_of


def test_the_deployment_can_be_run_word_for_word(tmp_path: Path) -> None:
    """One shell goes through its blocks, so that every command runs where the one before it left
    the shell. Programs that need an account only answer."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text_of("docs/deploy.md"), re.MULTILINE | re.DOTALL)
    for name in ("terraform", "curl", "aws"):
        stub = tmp_path / name
        stub.write_text(
            '#!/bin/sh\n[ "$1" = output ] && echo https://x.lambda-url.eu-west-1.on.aws/\nexit 0\n',
            encoding="utf-8",
        )
        stub.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euc", "".join(blocks)],
        cwd=ROOT,
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "MAKEFLAGS": "n",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_SESSION_TOKEN": "z",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    url = "https://x.lambda-url.eu-west-1.on.aws/"
    assert f'--url "{url}" --function "sse-streaming"' in done.stdout


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        found[1]: page
        for page in PAGES
        for code in code_of(page)
        if (found := re.match(r"(?:\w+=\S+ )?make (?:-C \S+ )?([a-z][a-z-]*)", code))
    }
    assert len(named) > 10
    assert {target: page for target, page in named.items() if target not in targets} == {}


def test_every_module_that_a_page_runs_is_there() -> None:
    named = {
        module: page
        for page in PAGES
        for code in code_of(page)
        for module in re.findall(r"-m ((?:tools|local_aws)[\w.]*)", code)
    }
    places = [ROOT, ROOT / "src"]
    missing = {
        module: page
        for module, page in named.items()
        if not any(
            (place / module.replace(".", "/") / "__main__.py").exists()
            or (place / f"{module.replace('.', '/')}.py").exists()
            for place in places
        )
    }
    assert len(named) > 1
    assert missing == {}
