"""What the pages tell users to paste can be pasted."""

from __future__ import annotations

import json
import re

import pytest

from tests.terraform.roots import PROVIDER, planned, root
from tests.terraform.terraform_cli import ROOT, Terraform

pytestmark = [pytest.mark.ci, pytest.mark.timeout(200)]

PAGES = ("modules/lambda/README.md", "docs/deploy.md")
FEED = {"event": "job", "partition": "tenant", "time": "at", "item_id": "id", "index": "by_tenant"}


def test_every_module_call_of_the_pages_can_be_planned(
    module: Terraform, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("pages")
    (place / "lambda-streaming" / "build").mkdir(parents=True)
    for name in ("sse-streaming", "shop"):
        (place / f"lambda-streaming/build/{name}-py3.13-arm64.zip").write_bytes(b"stands for a zip")
    blocks = [
        block
        for page in PAGES
        for block in re.findall(
            r"^```hcl\n(module .*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S
        )
    ]
    assert len(blocks) >= 5
    text = PROVIDER + "".join(
        re.sub(r'^module "(\w+)"', rf'module "\g<1>_{number}"', block)
        for number, block in enumerate(blocks)
    )
    # The clone stands beside the user's own folder.
    mine = place / "mine"
    pasted = text.replace('"../lambda-streaming/modules/lambda"', '"./modules/lambda"')
    terraform = root(mine, pasted, aws)
    (mine / "feed.json").write_text(json.dumps(FEED), encoding="utf-8")
    plan = planned(terraform, label="plan the pages")
    functions = [one for one in plan["resource_changes"] if one["type"] == "aws_lambda_function"]
    assert len(functions) == len(blocks)
