"""The questions that no request answers: of the account, the console, other kinds of function."""

from __future__ import annotations

from typing import Final

from tools.aws_questions.question import ManualQuestion

BY_HAND: Final = (
    ManualQuestion(
        "Can Python be taken over at Lambda@Edge?",
        "the probe as an origin-request function: does its log show a call of its loop?",
        "it cannot, and such events are refused",
        "If it can: a front door for `Records[0].cf`, which buffers",
    ),
    ManualQuestion(
        "Does the grant that the provider makes for NONE outlive a change to AWS_IAM?",
        "`aws lambda get-policy --qualifier live` after the change: is"
        " FunctionURLAllowPublicAccess there?",
        "it may, so the URL is made anew",
        "If it goes: a change of url_authorization is made in place",
    ),
    ManualQuestion(
        "Must an account keep 100 executions that no function has reserved?",
        "`aws lambda put-function-concurrency` with all but 99 of the account's",
        "it must",
        "A check of reserved_concurrency against the account's limit",
    ),
    ManualQuestion(
        "Does a Function URL's CORS configuration take OPTIONS?",
        "`aws lambda update-function-url-config --cors AllowMethods=OPTIONS`",
        "it is refused: six characters at most",
        "The list of methods that the module allows in `cors`",
    ),
    ManualQuestion(
        "Does CloudFormation take InvokedViaFunctionUrl in a permission?",
        "apply the module with url_authorization = NONE; `aws lambda get-policy --qualifier live`"
        " shows lambda:InvokedViaFunctionUrl as a condition",
        "it does (docs/decisions/0022)",
        "If it does not: NONE would let every AWS account invoke the function directly",
    ),
    ManualQuestion(
        "Do X-Ray's filters find annotations whose names have dots?",
        "`aws xray get-trace-summaries --filter-expression 'annotation[http.route] = \"/\"'`",
        "they do, with brackets",
        "The names of annotations, and the expressions in docs/tracing.md",
    ),
    ManualQuestion(
        "Is _X_AMZN_TRACE_ID of the right invocation where several run at once?",
        "a function of Managed Instances that prints the variable and the header of its /next",
        "it is not: the header counts",
        "Nothing: the library reads the header",
    ),
    ManualQuestion(
        "Is a service that is called one node, whichever tracer recorded the call?",
        "the service map after a stream: DynamoDB once, not once per phase",
        "it is, by the same name",
        "`aws.service` on client spans (tracing/aws_requests.py)",
    ),
    ManualQuestion(
        "What does the flush after the last byte cost?",
        "the REPORT line's Billed Duration against the client's time to the last byte",
        "it is billed, and the client does not wait for it",
        "STREAMING_FLUSH_SECONDS",
    ),
    ManualQuestion(
        "Does an execution environment end without SIGTERM?",
        "the log of an environment without the collector: no line of the lifespan's shutdown",
        "without an extension it does",
        "What docs/apps.md promises of shutdown",
    ),
    ManualQuestion(
        "On which address does the collector listen?",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 and http://localhost:4318: spans lost?",
        "both work",
        "The endpoint that the module sets (http://localhost:4318)",
    ),
    ManualQuestion(
        "How is a child shown whose parent is not yet there?",
        "the trace of a stream of some minutes, while it is open",
        "below a pending parent, until the root arrives",
        "Whether a long stream flushes before its end",
    ),
    ManualQuestion(
        "Are span links shown as linked traces?",
        "a request with a `traceparent` of its own: the console's trace has a link",
        "they are",
        "Whether a client's trace is linked or written as an annotation",
    ),
    ManualQuestion(
        "Does Lambda's segment of the function end before the stream does?",
        "`aws xray batch-get-traces`: end_time of AWS::Lambda::Function and of the stream's span",
        "it ends with the invocation; X-Ray takes children that end later",
        "How the waterfall is explained in docs/tracing.md",
    ),
)
