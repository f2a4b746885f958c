"""X-Ray's groups and sampling rules over HTTP, where moto has none: enough for Terraform's life.
Each region has its own, as on AWS.

Shapes from the X-Ray API reference (CreateGroup, GetGroup, DeleteGroup, CreateSamplingRule,
GetSamplingRules, DeleteSamplingRule, ListTagsForResource).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

from tests.fakes.http_stand_in import Call, HttpStandIn

# The credential scope of a signature, KEY/DATE/REGION/SERVICE/aws4_request, names the region.
_REGION = re.compile(r"Credential=[^/]+/\d+/(?P<region>[a-z0-9-]+)/")


class XRayGroups(HttpStandIn):
    """A server on a free port. `groups` and `rules` hold what exists now, by region and name."""

    def __init__(self) -> None:
        self.groups: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.rules: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._tags: dict[str, list[dict[str, str]]] = {}
        owner = self

        class Handler(Call):
            def respond(self) -> None:
                request = json.loads(self.sent() or b"{}")
                scope = _REGION.search(self.headers.get("Authorization") or "")
                region = scope["region"] if scope else "us-east-1"
                status, answer = owner._answer(self.path.strip("/"), request, region)
                headers = {"Content-Type": "application/json"}
                if status >= 400:
                    headers["x-amzn-ErrorType"] = "InvalidRequestException"
                self.answer(status, json.dumps(answer).encode(), headers)

        super().__init__(Handler)

    def _answer(
        self, operation: str, request: dict[str, Any], region: str
    ) -> tuple[int, dict[str, Any]]:
        groups, rules = self.groups[region], self.rules[region]
        prefix = f"arn:aws:xray:{region}:123456789012"
        match operation:
            case "CreateGroup" | "UpdateGroup":
                name = request.get("GroupName") or _name_in(request["GroupARN"])
                arn = f"{prefix}:group/{name}/EXAMPLE"
                groups[name] = {
                    "GroupName": name,
                    "GroupARN": arn,
                    "FilterExpression": request.get("FilterExpression", ""),
                    "InsightsConfiguration": request.get("InsightsConfiguration", {}),
                }
                self._tags.setdefault(arn, request.get("Tags", []))
                return 200, {"Group": groups[name]}
            case "GetGroup" if group := groups.get(_name_in(request["GroupARN"])):
                return 200, {"Group": group}
            case "DeleteGroup" if groups.pop(_name_in(request["GroupARN"]), None):
                return 200, {}
            case "CreateSamplingRule":
                rule = request["SamplingRule"]
                rule["RuleARN"] = f"{prefix}:sampling-rule/{rule['RuleName']}"
                rules[rule["RuleName"]] = rule
                self._tags.setdefault(rule["RuleARN"], request.get("Tags", []))
                return 200, {"SamplingRuleRecord": {"SamplingRule": rule}}
            case "GetSamplingRules":
                records = [{"SamplingRule": rule} for rule in rules.values()]
                return 200, {"SamplingRuleRecords": records}
            case "DeleteSamplingRule" if rule := rules.pop(request["RuleName"], None):
                return 200, {"SamplingRuleRecord": {"SamplingRule": rule}}
            case "ListTagsForResource":
                return 200, {"Tags": self._tags.get(request["ResourceARN"], [])}
            case "TagResource":
                self._tags[request["ResourceARN"]] = request["Tags"]
                return 200, {}
        return 400, {"message": f"{operation}: no such group, rule or operation here"}


def _name_in(arn: str) -> str:
    return arn.split("/")[1] if "/" in arn else arn
