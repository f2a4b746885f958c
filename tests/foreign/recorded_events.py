"""Events that others recorded on AWS: those of github.com/awslabs/aws-lambda-rust-runtime, which
are not part of this repository.

    git clone https://github.com/awslabs/aws-lambda-rust-runtime
    make recorded-events RECORDED_EVENTS=$PWD/aws-lambda-rust-runtime

The table is of commit 4c4e5fac53be0a1fdca671b2f7bb1f905247778e (2025-09-18).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from lambda_streaming.doors.recognise import NotHttp, Refused, recognise
from lambda_streaming.responses import Response

CHECKOUT = os.environ.get("RECORDED_EVENTS", "")
FOLDERS = ("lambda-http/tests/data", "lambda-events/src/fixtures")

# What comes of each file, by the first pattern that its name matches: the door that answers it,
# "refused", or the source that it is handed over with. "nothing" has no source: answers that
# functions give, and parts of events.
EXPECTED = {
    "lambda_function_url_*": "function_url",
    "alb_*": "alb",
    "*-alb-lambda-target-request-*": "alb",
    "*-alb-lambda-target-response": "nothing",
    "*-apigw-websocket-*": "refused",
    "*-apigw-custom-auth-response*": "nothing",
    "*-apigw-custom-auth-*": "apigateway-authorizer",
    "*-apigw-v2-custom-authorizer-*": "apigateway-authorizer",
    "*-apigw-response": "nothing",
    "apigw_v2_*": "http_api",
    "apigw_request_path_with_space": "http_api",
    "*-apigw-v2-request-*": "http_api",
    "*-apigw-sam-http-*": "http_api",
    "apigw_*": "rest_api",
    "*-apigw-*": "rest_api",
    "*-appsync-identity-*": "nothing",
    "*-appsync-*-response": "nothing",
    "*-appsync-lambda-auth-request": "appsync-authorizer",
    "*-appsync-*": "appsync",
    "*-cloudformation-*-response": "nothing",
    "*-cloudformation-*": "cloudformation",
    "*-cloudwatch-alarm-sns-*": "aws:sns",
    "*-cloudwatch-alarm-*": "aws.cloudwatch",
    "*-cloudtrail-assumed-role": "controltower.amazonaws.com",
    "*-cloudtrail-unknown-federate": "sso.amazonaws.com",
    "*-cloudtrail-unknown-user-auth": "signin.amazonaws.com",
    "*-cloudwatch_logs-*": "cloudwatch-logs",
    "*-codedeploy-lifecycle-*": "codedeploy",
    "*-codepipeline_job-*": "codepipeline",
    "*-autoscaling-*": "aws.autoscaling",
    "*-codebuild-*": "aws.codebuild",
    "*-codedeploy-*": "aws.codedeploy",
    "*-codepipeline-*": "aws.codepipeline",
    "*-ecr-*": "aws.ecr",
    "*-eventbridge-event-*": "aws.ec2",
    "*-eventbridge-schedule": "aws.events",
    "*-activemq-*": "aws:mq",
    "*-code_commit-*": "aws:codecommit",
    "*-documentdb-*": "aws:docdb",
    "*-dynamodb-*": "aws:dynamodb",
    "*-kafka-*": "aws:kafka",
    "*-kinesis-event*": "aws:kinesis",
    "*-rabbitmq-*": "aws:rmq",
    "*-ses-*": "aws:ses",
    "*-s3-event*": "aws:s3",
    "*-sns-*": "aws:sns",
    "*-sqs-event*": "aws:sqs",
    "*-sqs-*": "nothing",
    "*-bedrock-*": "bedrock",
    "*-clientvpn-*": "clientvpn",
    "*-cognito-event-userpools-*": "cognito",
    "*-cognito-event": "cognito-sync",
    "*-config-*": "config",
    "*-connect-*": "connect",
    "*-firehose-response": "nothing",
    "*-firehose-*": "firehose",
    "*-iot-custom-auth-request": "iot-authorizer",
    "*-iot-custom-auth-response": "nothing",
    "*-iot_*": "iot",
    "*-lex-response": "nothing",
    "*-lex-*": "lex",
    "*-s3-object-lambda-*": "s3-object-lambda",
    "*-secretsmanager-*": "secretsmanager",
}


def recorded() -> list[Path]:
    assert CHECKOUT, "RECORDED_EVENTS names no checkout"
    return [path for folder in FOLDERS for path in sorted(Path(CHECKOUT, folder).glob("*.json"))]


def expected(path: Path) -> str | None:
    return next((what for name, what in EXPECTED.items() if fnmatchcase(path.stem, name)), None)


def outcome(path: Path) -> str:
    event = json.loads(path.read_text())
    try:
        door = recognise(event)
    except NotHttp as not_http:
        return not_http.source or "nothing"
    except Refused:
        return "refused"
    request = door.read_request(event, None)
    assert request.path.startswith(request.root_path)
    assert door.answer(Response("x"), event)["body"] == "x"
    return door.NAME


def test_every_recorded_event_is_answered_handed_over_or_refused() -> None:
    assert {path.stem: outcome(path) for path in recorded()} == {
        path.stem: expected(path) for path in recorded()
    }


def test_the_table_has_every_recorded_event_and_no_other() -> None:
    used = Counter(
        next((name for name in EXPECTED if fnmatchcase(path.stem, name)), "none")
        for path in recorded()
    )

    assert set(used) == set(EXPECTED)
    assert used.total() == 160
