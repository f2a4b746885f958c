"""Whose events are no HTTP requests: AWS's shapes, as small as they can be told apart."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.doors.recognise import NotHttp, recognise
from tests.fakes.events import http_api_event, rest_api_event


def records(**record: object) -> dict[str, Any]:
    return {"Records": [record]}


NAMED: list[tuple[dict[str, Any], str]] = [
    (records(eventSource="aws:sqs", body="{}"), "aws:sqs"),
    (records(eventSource="aws:s3", s3={}), "aws:s3"),
    (records(EventSource="aws:sns", Sns={}), "aws:sns"),
    (records(eventSource="aws:dynamodb", dynamodb={}), "aws:dynamodb"),
    (records(eventSource="aws:kinesis", kinesis={}), "aws:kinesis"),
    (records(eventSource="aws:ses", ses={}), "aws:ses"),
    (records(eventSource="aws:codecommit"), "aws:codecommit"),
    ({"eventSource": "aws:kafka", "records": {}}, "aws:kafka"),
    ({"eventSource": "SelfManagedKafka", "records": {}}, "SelfManagedKafka"),
    ({"eventSource": "aws:mq", "messages": []}, "aws:mq"),
    ({"eventSource": "aws:rmq", "rmqMessagesByQueue": {}}, "aws:rmq"),
    ({"eventSource": "aws:docdb", "events": []}, "aws:docdb"),
    ({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}, "aws.events"),
    ({"source": "aws.scheduler", "detail-type": "Scheduled Event"}, "aws.scheduler"),
    ({"source": "com.example.orders", "detail-type": "Order placed"}, "com.example.orders"),
    ({"source": "aws.cloudwatch", "alarmArn": "arn", "alarmData": {}}, "aws.cloudwatch"),
    ({"messageVersion": "1.0", "agent": {}, "actionGroup": "g", "httpMethod": "GET"}, "bedrock"),
    ({"triggerSource": "PreSignUp_SignUp", "userPoolId": "p", "request": {}}, "cognito"),
    ({"datasetName": "d", "identityPoolId": "p", "eventType": "SyncTrigger"}, "cognito-sync"),
    ({"version": "1.0", "context": {}, "request": {"type": "LaunchRequest"}}, "alexa"),
    ({"directive": {"header": {}}}, "alexa"),
    ({"configRuleName": "r", "invokingEvent": "{}", "resultToken": "t"}, "config"),
    ({"awslogs": {"data": ""}}, "cloudwatch-logs"),
    ({"RequestType": "Create", "StackId": "s", "LogicalResourceId": "r"}, "cloudformation"),
    ({"CodePipeline.job": {}}, "codepipeline"),
    ({"DeploymentId": "d", "LifecycleEventHookExecutionId": "e"}, "codedeploy"),
    ({"Name": "ContactFlowEvent", "Details": {}}, "connect"),
    ({"bot": {}, "currentIntent": {}}, "lex"),
    ({"bot": {}, "sessionState": {}}, "lex"),
    ({"deliveryStreamArn": "arn", "records": []}, "firehose"),
    ({"applicationArn": "arn", "records": []}, "kinesis-analytics"),
    ({"invocationSchemaVersion": "1.0", "job": {}, "tasks": []}, "s3-batch"),
    ({"xAmzRequestId": "r", "userRequest": {}}, "s3-object-lambda"),
    ({"Step": "createSecret", "SecretId": "s", "ClientRequestToken": "t"}, "secretsmanager"),
    ({"arguments": {}, "identity": None, "info": {}}, "appsync"),
    ({"version": "2017-02-28", "operation": "Invoke", "payload": {}}, "appsync"),
    ({"authorizationToken": "t", "requestContext": {"apiId": "a"}}, "appsync-authorizer"),
    ({"type": "TOKEN", "methodArn": "arn", "authorizationToken": "t"}, "apigateway-authorizer"),
    (rest_api_event() | {"type": "REQUEST", "methodArn": "arn"}, "apigateway-authorizer"),
    (http_api_event() | {"type": "REQUEST", "routeArn": "arn"}, "apigateway-authorizer"),
    (
        {"type": "REQUEST", "methodArn": "arn", "requestContext": {"connectionId": "c"}},
        "apigateway-authorizer",
    ),
    ({"signatureVerified": False, "protocolData": {}}, "iot-authorizer"),
    ({"serialNumber": "n", "clickType": "SINGLE", "batteryVoltage": "1mV"}, "iot"),
    ({"deviceEvent": {}, "placementInfo": {}}, "iot"),
    ({"connection-id": "c", "endpoint-id": "e"}, "clientvpn"),
    ({"requestPayload": {}, "responseContext": {}}, "lambda-destination"),
    ({"username": "u", "protocol": "SFTP", "serverId": "s", "sourceIp": "i"}, "transfer"),
]


@pytest.mark.parametrize(("event", "source"), NAMED, ids=[source for _, source in NAMED])
def test_an_event_of_another_service_names_it(event: dict[str, Any], source: str) -> None:
    """Answered with a 400, it would count as done: a batch would be lost."""
    with pytest.raises(NotHttp, match=source) as raised:
        recognise(event)
    assert raised.value.source == source


@pytest.mark.parametrize("source", ["line\nbreak", "x" * 101, "", 7, None, {"a": 1}])
def test_a_source_that_is_no_name_is_not_repeated(source: object) -> None:
    with pytest.raises(NotHttp) as raised:
        recognise({"source": source, "detail-type": "d"})
    assert raised.value.source is None


def test_an_http_request_with_a_field_called_source_is_one() -> None:
    assert recognise({"httpMethod": "GET", "path": "/", "source": "cli"}).NAME == "invoke"
