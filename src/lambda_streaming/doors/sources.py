"""Who sent an event that is no HTTP request, by the shapes in AWS's documentation.

A name is the one that the event itself has for its source, as `aws:sqs` or `aws.events`, else the
service's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambda_streaming.doors import reading

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


def source_of(event: Mapping[str, Any]) -> str | None:
    """The source of an event that has one; None for any other shape."""
    names = set(event)
    return _named_by_itself(event) or next(
        (source for source, keys in _KEYS if keys <= names), None
    )


def _named_by_itself(event: Mapping[str, Any]) -> str | None:
    """A batch's first record, a batch without records (Kafka, MQ, DocumentDB), an event of
    EventBridge, or an action of a CloudWatch alarm."""
    record = first_record(event)
    name = record.get("eventSource") or record.get("EventSource") or event.get("eventSource")
    if name is None and ("detail-type" in event or "alarmData" in event):
        name = event.get("source")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def first_record(event: Mapping[str, Any]) -> Mapping[str, Any]:
    records = event.get("Records")
    return reading.mapping(records[0]) if isinstance(records, list) and records else {}
