"""Which front door an event came through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambda_streaming.doors import alb, function_url, http_api, invoke, reading, rest_api
from lambda_streaming.doors.door import Door
from lambda_streaming.doors.events import NotHttp, read_event

__all__ = ["NotHttp", "Refused", "read_event", "recognise"]

_OTHER_FRONT_DOORS: tuple[Door, ...] = (rest_api, alb, http_api)

# Names go into the log, and whoever invokes the function by hand writes what they like.
_NAME = re.compile(r"[\w.:/-]{1,100}", re.ASCII)

# Names that only the events of one service have all of.
_KEYS: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (source, frozenset(keys.split()))
    for source, keys in (
        ("alexa", "context request version"),
        ("alexa", "directive"),
        ("apigateway-authorizer", "methodArn type"),
        ("apigateway-authorizer", "routeArn type"),
        ("appsync", "arguments identity info"),
        ("appsync", "operation payload version"),
        ("appsync-authorizer", "authorizationToken requestContext"),
        ("bedrock", "actionGroup agent"),
        ("clientvpn", "connection-id endpoint-id"),
        ("cloudformation", "LogicalResourceId RequestType StackId"),
        ("cloudwatch-logs", "awslogs"),
        ("codedeploy", "DeploymentId LifecycleEventHookExecutionId"),
        ("codepipeline", "CodePipeline.job"),
        ("cognito", "triggerSource userPoolId"),
        ("cognito-sync", "datasetName identityPoolId"),
        ("config", "configRuleName invokingEvent"),
        ("connect", "Details Name"),
        ("firehose", "deliveryStreamArn records"),
        ("iot", "batteryVoltage clickType serialNumber"),
        ("iot", "deviceEvent placementInfo"),
        ("iot-authorizer", "protocolData signatureVerified"),
        ("kinesis-analytics", "applicationArn records"),
        ("lambda-destination", "requestPayload responseContext"),
        ("lex", "bot currentIntent"),
        ("lex", "bot sessionState"),
        ("s3-batch", "invocationSchemaVersion job tasks"),
        ("s3-object-lambda", "userRequest xAmzRequestId"),
        ("secretsmanager", "ClientRequestToken SecretId Step"),
        ("transfer", "protocol serverId username"),
    )
)


class Refused(Exception):
    """The event comes from a front door that cannot be served here: answered with `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def recognise(event: Mapping[str, Any]) -> Door:
    """The door of an event. Raises NotHttp or Refused."""
    if function_url.recognises(event):
        return function_url
    _refuse_other_front_ends(event)
    for door in _OTHER_FRONT_DOORS:
        if door.recognises(event):
            return door
    source = _source_of(event)
    if source is not None:
        raise NotHttp(f"the event is no HTTP request: it comes from {source}", source)
    if invoke.recognises(event):
        _check_version(event.get("version"))
        return invoke
    raise NotHttp(
        "the event is no HTTP request: it has no method, and no service of AWS sends its shape"
    )


def _check_version(version: object) -> None:
    """Of an event that somebody wrote by hand: the other format would be read wrongly."""
    if version not in (None, "1.0", "2.0"):
        raise NotHttp(
            "the event's version is neither 1.0 nor 2.0, the payload formats of HTTP requests"
        )


def _refuse_other_front_ends(event: Mapping[str, Any]) -> None:
    if isinstance(reading.mapping(event.get("requestContext")).get("connectionId"), str):
        if reading.asks_an_authorizer(event):
            return
        raise Refused(
            501,
            "this is a WebSocket API of API Gateway, whose messages have no HTTP answer: for events"
            " pushed to browsers stream server-sent events from a Function URL, for both directions"
            " use AppSync Events or a handler written for WebSocket APIs",
        )
    if isinstance(_first_record(event).get("cf"), dict):
        raise Refused(
            501,
            "this is CloudFront calling a Lambda@Edge function, which can neither stream nor read"
            " a request as an app expects it: make a Function URL CloudFront's origin instead",
        )


def _source_of(event: Mapping[str, Any]) -> str | None:
    """The source of an event that has one; None for any other shape."""
    names = set(event)
    return _named_by_itself(event) or next(
        (source for source, keys in _KEYS if keys <= names), None
    )


def _named_by_itself(event: Mapping[str, Any]) -> str | None:
    """A batch's first record, a batch without records (Kafka, MQ, DocumentDB), an event of
    EventBridge, or an action of a CloudWatch alarm."""
    record = _first_record(event)
    name = record.get("eventSource") or record.get("EventSource") or event.get("eventSource")
    if name is None and ("detail-type" in event or "alarmData" in event):
        name = event.get("source")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _first_record(event: Mapping[str, Any]) -> Mapping[str, Any]:
    records = event.get("Records")
    return reading.mapping(records[0]) if isinstance(records, list) and records else {}
