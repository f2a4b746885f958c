"""Every way of configuring the module wrongly that it knows of, and what it says to each."""

from __future__ import annotations

from dataclasses import dataclass

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/items"
DIGEST = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
KEY = "00000000-0000-0000-0000-000000000000"
LAYER = "arn:aws:lambda:{}:901920570463:layer:aws-otel-collector-{}-ver-0-117-0"
ROLE = "arn:aws:iam::123456789012:role/one"
FEED = '{ event = "price", partition = "symbol", time = "at", item_id = "id", index = "by_symbol" }'
PUBLIC = 'url_authorization = "NONE"\nid_key_parameter = "/key"\nreserved_concurrency = 125'


@dataclass(frozen=True, slots=True)
class Wrong:
    """`arguments` of a module call, all others at their defaults, and words of the refusal."""

    name: str
    arguments: str
    says: str


WRONG = [
    # Names that no input has
    Wrong("unknown_setting", "settings = { max_conections = 10 }", "no field max_conections. Its"),
    Wrong("unknown_cdn_field", "cdn = { enable = true }", "cdn has no field enable. Its fields"),
    Wrong(
        "unknown_table", 'existing_tables = { item = "x-x" }', "existing_tables has no field item."
    ),
    Wrong(
        "unknown_cors_field", 'cors = { origins = ["https://a.b"] }', "cors has no field origins"
    ),
    Wrong(
        "unknown_threshold", "alarm_thresholds = { errors = 5 }", "alarm_thresholds has no field"
    ),
    Wrong(
        "unknown_watch_field", "watch = { alarm = false }", "watch has no field alarm. Its fields"
    ),
    Wrong("unknown_log_field", "log = { days = 3 }", "log has no field days. Its fields are"),
    Wrong("unknown_app_field", 'app = { handle = "main.handler" }', "app has no field handle. Its"),
    Wrong("unknown_rest_field", "rest = { stages = 1 }", "rest has no field stages. Its fields"),
    Wrong("unknown_deployment", "deployment = { canary = 1 }", "deployment has no field canary"),
    Wrong("unknown_rule_field", "sampling_rule = { rate = 1 }", "sampling_rule has no field rate"),
    Wrong(
        "unknown_codedeploy_field",
        'live_version = "1"\ndeployment = { codedeploy = { config = "x" } }',
        'deployment.codedeploy has the fields ["config"]; it takes alarms and configuration',
    ),
    # The package
    Wrong("no_package", "package_path = null", "Neither package_path nor package says where"),
    Wrong(
        "two_packages",
        f'package = {{ s3 = {{ bucket = "b", key = "k", sha256 = "{DIGEST}" }} }}',
        'package_path = "any.zip" and package are both set. Set one',
    ),
    Wrong(
        "empty_package", "package_path = null\npackage = {}", "package needs one of path, s3 and"
    ),
    Wrong(
        "s3_without_digest",
        'package_path = null\npackage = { s3 = { bucket = "b", key = "k" } }',
        "package.s3 needs bucket, key and sha256",
    ),
    Wrong(
        "digest_in_hex",
        'package_path = null\npackage = { path = "x.zip", sha256 = "e3b0c442" }',
        'package.sha256 = "e3b0c442" is no SHA-256 in base64',
    ),
    Wrong(
        "image_elsewhere",
        'package_path = null\npackage = { image_uri = "docker.io/me/app:1" }',
        "is no image of ECR with a tag or digest",
    ),
    Wrong(
        "layer_beside_image",
        "package_path = null\n"
        'package = { image_uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1" }\n'
        f'collector_layer_arn = "{LAYER.format("us-east-1", "arm64")}:1"',
        "cannot stand beside package.image_uri: Lambda takes no layers with an image",
    ),
    Wrong(
        "zip_not_built",
        'package_path = "./nothing.zip"',
        'There is no file at package_path = "./nothing.zip". Run `make package`',
    ),
    Wrong(
        "zip_for_another_cpu",
        'package_path = "./sse-streaming-py3.13-x86_64.zip"',
        "built for another CPU (x86_64, as its name or its manifest says) than architecture =",
    ),
    Wrong(
        "zip_for_another_python",
        'package_path = "./sse-streaming-py3.12-arm64.zip"',
        "was built for another Python (3.12, as its name or its manifest says) than",
    ),
    Wrong(
        "neutral_name_for_another_cpu",
        'package_path = "x86_64.zip"',
        "built for another CPU (x86_64, as its name or its manifest says)",
    ),
    Wrong(
        "neutral_name_for_another_python",
        'package_path = "x86_64.zip"\narchitecture = "x86_64"\npython_version = "3.12"',
        "was built for another Python (3.13, as its name or its manifest says)",
    ),
    # The function
    Wrong(
        "long_service_name",
        'service_name = "a-name-that-is-far-too-long-for-the-role-that-it-becomes-part-of"',
        "service_name must be 3 to 48 of a-z, 0-9",
    ),
    Wrong(
        "timeout_beyond_lambdas", "timeout_seconds = 901", "must be a whole number from 1 to 900"
    ),
    Wrong(
        "timeout_too_short_for_the_streams",
        "timeout_seconds = 305",
        "timeout_seconds = 305 leaves no room for a stream of settings.max_stream_seconds = 300",
    ),
    Wrong(
        "timeout_too_short_for_the_app",
        'app = { handler = "main.handler", stream_seconds = 329 }',
        "timeout_seconds = 330 leaves no room for a stream of app.stream_seconds = 329",
    ),
    Wrong(
        "rollback_to_a_name",
        'live_version = "$LATEST"',
        "live_version must be the number of a published version",
    ),
    Wrong(
        "wrapper_variable",
        'environment = { AWS_LAMBDA_EXEC_WRAPPER = "/opt/otel-instrument" }',
        "environment must not set AWS_LAMBDA_EXEC_WRAPPER: the collector layer is a sidecar only",
    ),
    Wrong(
        "diverging_service_name",
        'app = { handler = "main.handler", environment = { OTEL_SERVICE_NAME = "another" } }',
        "X-Ray shows one function as two services. Set service_name",
    ),
    Wrong(
        "setting_behind_the_modules_back",
        'environment = { SSE_ITEMS_TABLE = "another" }',
        "the module sets them. Use settings, the table variables",
    ),
    Wrong("reserved_variable", 'environment = { AWS_REGION = "x" }', "sets AWS_REGION"),
    Wrong(
        "unnameable_variable", 'environment = { "A-B" = "x" }', 'environment has ["A-B"]: the name'
    ),
    Wrong(
        "environment_over_4_kb",
        'environment = { LONG = join("", [for n in range(410) : "0123456789"]) }',
        "bytes, names and values together; Lambda takes 4096. Move long values",
    ),
    Wrong(
        "handler_without_module", 'app = { handler = "handler" }', 'app.handler = "handler" names'
    ),
    Wrong(
        "app_that_may_do_everything",
        'app = { handler = "m.f", policy_statements = [{ actions = "*", resources = "*" }] }',
        'allows the action "*", which is everything in the account. Name the actions',
    ),
    Wrong(
        "statement_without_resources",
        'app = { handler = "main.handler", policy_statements = [{ actions = ["s3:GetObject"] }] }',
        "each statement has actions and resources",
    ),
    Wrong("role_by_name", 'role_arn = "one"', 'role_arn = "one" must be the ARN of a role'),
    Wrong(
        "boundary_of_an_existing_role",
        f'role_arn = "{ROLE}"\npermissions_boundary_arn = "arn:aws:iam::123456789012:policy/b"',
        "would bound no role",
    ),
    Wrong(
        "weights_without_live_version",
        'deployment = { weights = { "2" = 0.1 } }',
        'deployment.weights = {"2":0.1} needs live_version',
    ),
    Wrong(
        "weight_in_per_cent",
        'live_version = "1"\ndeployment = { weights = { "2" = 10 } }',
        'deployment.weights = {"2":10} must have one version and its share above 0 and below 1',
    ),
    Wrong(
        "codedeploy_without_live_version",
        "deployment = { codedeploy = {} }",
        "deployment.codedeploy needs live_version: CodeDeploy moves the alias",
    ),
    Wrong(
        "codedeploy_by_an_unknown_alarm",
        'live_version = "1"\ndeployment = { codedeploy = { alarms = ["error"] } }',
        'deployment.codedeploy.alarms = ["error"] names no alarm of this deployment. There are',
    ),
    Wrong(
        "more_provisioned_than_reserved",
        "reserved_concurrency = 125\ndeployment = { provisioned = 200 }",
        "deployment.provisioned = 200 is above reserved_concurrency = 125",
    ),
    Wrong(
        "reserved_below_the_soft_limit",
        "reserved_concurrency = 124",
        "Set at least 125 (the connections, 20 % and 5), 0 to stop everything, or null",
    ),
    Wrong(
        "negative_reserve", "reserved_concurrency = -1", "is not a whole number from 0. Set 0 to"
    ),
    # Settings
    Wrong(
        "setting_above_its_range",
        "settings = { heartbeat_seconds = 1000 }",
        "settings.heartbeat_seconds = 1000 is not a number from 0.05 to 300. The function would",
    ),
    Wrong(
        "settings_below_their_ranges",
        "settings = { max_stream_bytes = 0, trace_span_budget = -1 }",
        "settings.max_stream_bytes = 0 is not a whole number from 1 to 200000000."
        " settings.trace_span_budget = -1 is not",
    ),
    Wrong(
        "fraction_where_the_function_counts",
        "settings = { max_connections = 10.5 }",
        "settings.max_connections = 10.5 is not a whole number from 1 to 60000",
    ),
    Wrong(
        "idle_polls_faster_than_busy_ones",
        "settings = { poll_seconds = 2, poll_max_seconds = 1 }",
        "an idle stream polls less often, never more often",
    ),
    Wrong(
        "replay_shorter_than_overlap",
        "settings = { replay_seconds = 10, overlap_seconds = 10 }",
        "every event id would be expired when it is made",
    ),
    Wrong(
        "unknown_trace_detail",
        'settings = { trace_detail = "some" }',
        'settings.trace_detail = "some" must be "budget" or "full"',
    ),
    Wrong(
        "unfinished_authentication",
        'settings = { auth = "jwt" }',
        'settings.auth = "jwt" must be "none" or "iam"',
    ),
    Wrong(
        "settings_of_an_app",
        'app = { handler = "main.handler" }\nsettings = { retry_ms = 1 }',
        "which the app main.handler does not read. Set app.environment",
    ),
    # Data
    Wrong("weak_id_key", 'id_key_parameter = "/weak"', "must have 16 to 64 bytes of UTF-8"),
    Wrong(
        "id_key_of_many_bytes_in_few_characters",
        'id_key_parameter = "/wide"',
        "parameter /wide, named by id_key_parameter or id_key_previous_parameter, must have 16",
    ),
    Wrong(
        "previous_key_alone",
        'id_key_previous_parameter = "/key"',
        'id_key_previous_parameter = "/key" needs another id_key_parameter beside it',
    ),
    Wrong(
        "index_that_dynamodb_would_not_name",
        'items_index = "a b"',
        'items_index = "a b" must be 3 to 255 of letters',
    ),
    Wrong(
        "table_by_arn", f'existing_tables = {{ items = "{ARN}" }}', "takes table names (3 to 255"
    ),
    Wrong(
        "one_table_twice",
        'existing_tables = { items = "good", connections = "good" }',
        "names one table twice: leases would be read as items",
    ),
    Wrong(
        "missing_table",
        'existing_tables = { items = "nowhere" }',
        'existing_tables names items = "nowhere", and there is no such table in the provider',
    ),
    Wrong(
        "table_with_other_keys",
        'existing_tables = { connections = "good" }',
        'existing_tables.connections = "good" has the keys item_id; needed are pk, sk',
    ),
    Wrong(
        "table_without_the_index",
        'existing_tables = { items = "good" }\nitems_index = "by_mood"',
        'existing_tables.items = "good" has no index "by_mood" by sentiment_type and published_at',
    ),
    Wrong(
        "table_with_text_times",
        'existing_tables = { items = "texts" }',
        'existing_tables.items = "texts" has key attributes of other types',
    ),
    Wrong(
        "items_expire_inside_the_replay_window",
        "items_ttl_seconds = 3600",
        "items_ttl_seconds = 3600 is shorter than the replay window and its overlap (3610 s)",
    ),
    Wrong(
        "key_by_alias",
        'kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/one"',
        "kms_key_arn must be the ARN of a key",
    ),
    Wrong(
        "key_of_another_region",
        f'kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/{KEY}"',
        "is a key of another region than the provider's, us-east-1",
    ),
    Wrong(
        "tables_key_of_another_region",
        f'tables_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/{KEY}"',
        "must be the ARN of a key of the provider's region, arn:aws:kms:us-east-1",
    ),
    Wrong(
        "feed_without_app", f"feed = {FEED}", "feed is set and app is not: the sentiment service"
    ),
    Wrong(
        "feed_without_time",
        'app = { handler = "main.handler" }\nfeed = { event = "price", partition = "symbol" }',
        "feed has no text time, item_id, index. Make the file anew",
    ),
    Wrong(
        "feed_of_one_attribute",
        f'app = {{ handler = "main.handler" }}\nfeed = merge({FEED}, {{ time = "symbol" }})',
        "feed uses one attribute for two of partition, time and item_id",
    ),
    # Doors
    Wrong(
        "public_door_without_a_limit",
        'url_authorization = "NONE"\nid_key_parameter = "/key"',
        "one anonymous client could hold every connection of the account",
    ),
    Wrong(
        "cdn_without_a_limit",
        'cdn = { enabled = true }\nid_key_parameter = "/key"',
        "Set reserved_concurrency to at least 125, or allow_unlimited_public = true",
    ),
    Wrong(
        "public_door_without_an_id_key",
        'url_authorization = "NONE"\nreserved_concurrency = 125',
        "id_key_parameter = null, and a door is public",
    ),
    Wrong(
        "caller_identity_on_an_open_url",
        f'{PUBLIC}\nsettings = {{ auth = "iam" }}',
        "without it no request carries a caller",
    ),
    Wrong(
        "principals_of_an_open_url",
        f'{PUBLIC}\nallowed_principals = ["123456789012"]',
        'means nothing with url_authorization = "NONE": everybody may',
    ),
    Wrong(
        "everybody_as_principal",
        'allowed_principals = ["*"]',
        'allowed_principals = ["*"] must be account numbers of 12 digits, or ARNs',
    ),
    Wrong(
        "origin_without_scheme", 'cors = { allow_origins = ["a.b"] }', 'has ["a.b"]: an origin is'
    ),
    Wrong(
        "origin_with_a_slash",
        'cors = { allow_origins = ["https://a.b/"] }',
        'has ["https://a.b/"]: an origin is scheme, name and port',
    ),
    Wrong(
        "no_origin", "cors = { allow_origins = [] }", "cors.allow_origins = [] lets no origin in"
    ),
    Wrong(
        "any_origin_with_credentials",
        'cors = { allow_origins = ["*"], allow_credentials = true }',
        'cors.allow_origins = ["*"] must name origins when cors.allow_credentials is true',
    ),
    Wrong(
        "heartbeat_slower_than_the_cdn",
        "cdn = { enabled = true, read_timeout_seconds = 30 }\n"
        "settings = { heartbeat_seconds = 45 }",
        "settings.heartbeat_seconds = 45 must be below cdn.read_timeout_seconds = 30",
    ),
    Wrong(
        "cdn_more_patient_than_cloudfront",
        "cdn = { read_timeout_seconds = 1000 }",
        "cdn.read_timeout_seconds = 1000 is not a whole number from 1 to 120",
    ),
    Wrong(
        "cdn_with_an_open_url",
        f"{PUBLIC}\ncdn = {{ enabled = true }}",
        "with NONE everybody could go around CloudFront",
    ),
    Wrong(
        "caller_identity_behind_the_cdn",
        'cdn = { enabled = true }\nsettings = { auth = "iam" }',
        "CloudFront signs every request as itself",
    ),
    Wrong(
        "cdn_name_without_certificate",
        'cdn = { aliases = ["stream.example.com"] }',
        'cdn.aliases = ["stream.example.com"] need cdn.certificate_arn',
    ),
    Wrong(
        "certificate_of_another_region",
        'cdn = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/a" }',
        "must be an ACM certificate of us-east-1",
    ),
    Wrong(
        "regional_web_acl",
        'cdn = { web_acl_arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b" }',
        "must be a web ACL with scope CLOUDFRONT",
    ),
    Wrong(
        "authorizer_without_function",
        'rest = { authorization = "CUSTOM" }',
        'rest.authorization = "CUSTOM" needs rest.authorizer_arn',
    ),
    Wrong(
        "rest_that_waits_too_long",
        "rest = { stream = false }",
        "rest.timeout_seconds = 330 is not from 1 to 29, API Gateway's limit without response",
    ),
    # Watching
    Wrong(
        "layer_for_another_cpu",
        f'collector_layer_arn = "{LAYER.format("us-east-1", "amd64")}:1"',
        'is for another CPU than architecture = "arm64": the extension would not start',
    ),
    Wrong(
        "layer_of_another_region",
        f'collector_layer_arn = "{LAYER.format("eu-west-1", "arm64")}:1"',
        "is a layer of another region than the provider's, us-east-1",
    ),
    Wrong(
        "layer_without_version",
        f'collector_layer_arn = "{LAYER.format("us-east-1", "arm64")}"',
        "collector_layer_arn must be the ARN of a layer version",
    ),
    Wrong(
        "region_without_a_known_layer",
        "providers = { aws = aws.africa }",
        "AWS publishes no collector layer in af-south-1 that this module knows of",
    ),
    Wrong(
        "half_the_streams_five_times",
        "alarm_thresholds = { error_percent = 500 }",
        "= 500 is no share",
    ),
    Wrong(
        "negative_threshold",
        "alarm_thresholds = { refusals = -1 }",
        "has refusals = -1, poll_errors",
    ),
    Wrong(
        "rate_in_per_cent",
        "sampling_rule = { fixed_rate = 10 }",
        "sampling_rule.fixed_rate = 10 is a share from 0 to 1, not a percentage",
    ),
    Wrong(
        "level_of_plain_text", 'log = { application_level = "INFO" }', 'need log.format = "JSON"'
    ),
    Wrong(
        "retention_that_cloudwatch_does_not_know",
        "log_retention_days = 42",
        "log_retention_days must be one of CloudWatch's steps",
    ),
    Wrong(
        "namespace_of_awss_own",
        'metrics_namespace = "AWS/Lambda"',
        "digits and _ . / # : -, and not begin with",
    ),
    Wrong(
        "namespace_that_begins_with_a_colon",
        'metrics_namespace = ":streams"',
        "and not begin with : or AWS/",
    ),
]
