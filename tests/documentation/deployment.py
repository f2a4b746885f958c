"""docs/other-tools.md made into what CloudFormation would be given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.absence import missing
from tests.documentation.blocks import blocks_of
from tests.documentation.installing import npm_packages, python_packages

PAGE = "docs/other-tools.md"
Template = Mapping[str, Any]
_TOOLS = Path(__file__).parent / "deployment_tools"
_ZIP = "lambda-streaming/build/shop-py3.13-arm64.zip"
_TRANSLATE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
template = yaml_parse(open(sys.argv[2]).read())
# What `sam deploy` puts in the place of the local file.
for resource in template["Resources"].values():
    if "CodeUri" in resource["Properties"]:
        resource["Properties"]["CodeUri"] = "s3://bucket/shop.zip"
session = boto3.Session(region_name="eu-west-1")
print(json.dumps(Translator({}, Parser(), boto_session=session).translate(template, {})))
"""


def code_of(section: str) -> str:
    """The one template of a section."""
    (block,) = (one for one in blocks_of(PAGE) if one.section == section and one.language != "sh")
    return block.code


def by_sam(text: str, folder: Path) -> Template:
    (requirement,) = (_TOOLS / "requirements.txt").read_text(encoding="utf-8").split()
    source = folder / "template.yaml"
    source.write_text(text, encoding="utf-8")
    packages = python_packages("sam", requirement)
    return _json(_run([sys.executable, "-c", _TRANSLATE, str(packages), str(source)], folder))


def by_cdk(text: str, folder: Path) -> Template:
    """In Node, which takes it as JavaScript: it has no types. CDK's command runs the same file."""
    packages = npm_packages(_TOOLS)
    shop = _shop(folder)
    (shop / "node_modules").symlink_to(packages / "node_modules")
    (shop / "app.mjs").write_text(text, encoding="utf-8")
    _run([_node(), "app.mjs"], shop, CDK_OUTDIR="out")
    return _json((shop / "out/Shop.template.json").read_text(encoding="utf-8"))


def by_serverless(text: str, folder: Path) -> Template:
    packages = npm_packages(_TOOLS)
    shop = _shop(folder)
    (shop / "serverless.yml").write_text(text, encoding="utf-8")
    program = packages / "node_modules/osls/bin/serverless.js"
    _run(
        [_node(), str(program), "package", "--package", "out"],
        shop,
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="y",
        AWS_EC2_METADATA_DISABLED="true",
        SLS_TELEMETRY_DISABLED="1",
        SLS_NOTIFICATIONS_MODE="off",
    )
    written = shop / "out/cloudformation-template-update-stack.json"
    return _json(written.read_text(encoding="utf-8"))


def complaints(templates: Sequence[Template], folder: Path) -> str:
    """What cfn-lint calls an error."""
    files = [folder / f"linted-{number}.json" for number in range(len(templates))]
    for file, template in zip(files, templates, strict=True):
        file.write_text(json.dumps(template), encoding="utf-8")
    lint = Path(sys.executable).parent / "cfn-lint"
    argv = [str(lint), "--regions", "eu-west-1", "--ignore-checks", "W", "--", *map(str, files)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def _shop(folder: Path) -> Path:
    """A project's folder, with the zip where `make package` puts it."""
    package = folder / _ZIP
    package.parent.mkdir(parents=True)
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("main.py", "")
    (folder / "shop").mkdir()
    return folder / "shop"


def _node() -> str:
    return shutil.which("node") or missing("node is not installed")


def _json(text: str) -> Template:
    template: Template = json.loads(text)
    return template


def _run(argv: Sequence[str], folder: Path, **environ: str) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
