"""X-Ray's groups and sampling rules over HTTP, where moto has none: enough for Terraform's life.

Shapes from the X-Ray API reference (CreateGroup, GetGroup, DeleteGroup, CreateSamplingRule,
GetSamplingRules, DeleteSamplingRule, ListTagsForResource).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

_ARN = "arn:aws:xray:us-east-1:123456789012"


class XRayGroups:
    """A server on a free port. `groups` and `rules` hold what exists now, by name."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = json.loads(self.rfile.read(length) or b"{}")
                status, answer = owner._answer(self.path.strip("/"), request)
                body = json.dumps(answer).encode()
                self.send_response(status)
                if status >= 400:
                    self.send_header("x-amzn-ErrorType", "InvalidRequestException")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> XRayGroups:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match operation:
            case "CreateGroup" | "UpdateGroup":
                name = request.get("GroupName") or _name_in(request["GroupARN"])
                arn = f"{_ARN}:group/{name}/EXAMPLE"
                self.groups[name] = {
                    "GroupName": name,
                    "GroupARN": arn,
                    "FilterExpression": request.get("FilterExpression", ""),
                    "InsightsConfiguration": request.get("InsightsConfiguration", {}),
                }
                self._tags.setdefault(arn, request.get("Tags", []))
                return 200, {"Group": self.groups[name]}
            case "GetGroup" if group := self.groups.get(_name_in(request["GroupARN"])):
                return 200, {"Group": group}
            case "DeleteGroup" if self.groups.pop(_name_in(request["GroupARN"]), None):
                return 200, {}
            case "CreateSamplingRule":
                rule = request["SamplingRule"]
                rule["RuleARN"] = f"{_ARN}:sampling-rule/{rule['RuleName']}"
                self.rules[rule["RuleName"]] = rule
                self._tags.setdefault(rule["RuleARN"], request.get("Tags", []))
                return 200, {"SamplingRuleRecord": {"SamplingRule": rule}}
            case "GetSamplingRules":
                records = [{"SamplingRule": rule} for rule in self.rules.values()]
                return 200, {"SamplingRuleRecords": records}
            case "DeleteSamplingRule" if rule := self.rules.pop(request["RuleName"], None):
                return 200, {"SamplingRuleRecord": {"SamplingRule": rule}}
            case "ListTagsForResource":
                return 200, {"Tags": self._tags.get(request["ResourceARN"], [])}
            case "TagResource":
                self._tags[request["ResourceARN"]] = request["Tags"]
                return 200, {}
        return 400, {"message": f"{operation}: no such group, rule or operation here"}


def _name_in(arn: str) -> str:
    return arn.split("/")[1] if "/" in arn else arn
