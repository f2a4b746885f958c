"""Root modules that tests write: the module called once or many times, as a user's would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.terraform.terraform_cli import Terraform, copy_of_module

PROVIDER = 'provider "aws" {}\n'


def call(name: str, arguments: str, source: str = "./modules/lambda") -> str:
    """A module call; `arguments` is HCL."""
    lines = "\n".join(f"  {line.strip()}" for line in arguments.strip().splitlines())
    return f'module "{name}" {{\n  source = "{source}"\n{lines}\n}}\n'


def root(place: Path, text: str, environ: Mapping[str, str]) -> Terraform:
    """A root module in `place`, with the module beside it, initialised."""
    copy_of_module(place)
    (place / "main.tf").write_text(text, encoding="utf-8")
    terraform = Terraform(place, environ)
    terraform.init()
    return terraform


def planned(terraform: Terraform, *variables: str, label: str) -> dict[str, Any]:
    """What a plan would do, as `terraform show -json` tells it."""
    terraform("plan", "-input=false", "-out=planned", *variables, label=label)
    plan: dict[str, Any] = json.loads(terraform("show", "-json", "planned", label=label).stdout)
    return plan


def removed(plan: Mapping[str, Any]) -> set[str]:
    """Addresses that the plan destroys, also in order to make them anew."""
    return {
        change["address"]
        for change in plan["resource_changes"]
        if "delete" in change["change"]["actions"]
    }
