# Every way of configuring the module wrongly that it knows of: one broken variant each, all else
# at its default. The "says" lines are part of the test: tests/terraform runs each variant without
# its expectation and looks for those words in what a user would read.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package_path = "./tests/mocks/function.zip"
}

run "defaults_are_accepted" {
  command = plan
}

run "wrapper_variable" {
  # says: environment must not set AWS_LAMBDA_EXEC_WRAPPER: the collector layer is a sidecar only
  command = plan
  variables {
    environment = { AWS_LAMBDA_EXEC_WRAPPER = "/opt/otel-instrument" }
  }
  expect_failures = [var.environment]
}

run "diverging_service_name" {
  # says: X-Ray shows one function as two services. Set service_name
  command = plan
  variables {
    environment = { OTEL_SERVICE_NAME = "another" }
  }
  expect_failures = [var.environment]
}

run "setting_behind_the_modules_back" {
  # says: the module sets them. Use settings, the table variables
  command = plan
  variables {
    environment = { SSE_ITEMS_TABLE = "another" }
  }
  expect_failures = [var.environment]
}

run "timeout_too_short_for_the_streams" {
  # says: timeout_seconds = 305 leaves no room for a stream of settings.max_stream_seconds = 300
  command = plan
  variables {
    timeout_seconds = 305
  }
  expect_failures = [var.timeout_seconds]
}

run "timeout_beyond_lambdas" {
  # says: timeout_seconds must be a whole number from 1 to 900
  command = plan
  variables {
    timeout_seconds = 901
  }
  expect_failures = [var.timeout_seconds]
}

run "layer_for_another_cpu" {
  # says: is for another CPU than architecture = "arm64": the extension would not start
  command = plan
  variables {
    collector_layer_arn = "arn:aws:lambda:us-east-1:901920570463:layer:aws-otel-collector-amd64-ver-0-117-0:1"
  }
  expect_failures = [var.collector_layer_arn]
}

run "layer_of_another_region" {
  # says: is a layer of another region than the provider's, us-east-1
  command = plan
  variables {
    collector_layer_arn = "arn:aws:lambda:eu-west-1:901920570463:layer:aws-otel-collector-arm64-ver-0-117-0:1"
  }
  expect_failures = [aws_lambda_function.sse_streaming]
}

run "layer_without_version" {
  # says: collector_layer_arn must be the ARN of a layer version
  command = plan
  variables {
    collector_layer_arn = "arn:aws:lambda:us-east-1:901920570463:layer:aws-otel-collector-arm64-ver-0-117-0"
  }
  expect_failures = [var.collector_layer_arn]
}

run "region_without_a_known_layer" {
  # says: AWS publishes no collector layer in af-south-1 that this module knows of
  command = plan
  override_data {
    target = data.aws_region.current
    values = { name = "af-south-1" }
  }
  expect_failures = [aws_lambda_function.sse_streaming]
}

run "zip_for_another_cpu" {
  # says: was built for another CPU than architecture = "arm64": its compiled parts would not load
  command = plan
  variables {
    package_path = "./sse-streaming-py3.13-x86_64.zip"
  }
  expect_failures = [var.package_path]
}

run "zip_for_another_python" {
  # says: was built for another Python than python_version = "3.13"
  command = plan
  variables {
    package_path = "./sse-streaming-py3.12-arm64.zip"
  }
  expect_failures = [var.package_path]
}

run "zip_not_built" {
  # says: There is no file at package_path = "./nothing.zip". Run `make package`
  command = plan
  variables {
    package_path = "./nothing.zip"
  }
  expect_failures = [var.package_path]
}

run "any_origin_with_credentials" {
  # says: cors.allow_origins must name origins when cors.allow_credentials is true
  command = plan
  variables {
    cors = { allow_origins = ["*"], allow_credentials = true }
  }
  expect_failures = [var.cors]
}

run "reserved_below_the_soft_limit" {
  # says: Set at least 125 (the connections, 20 % and 5), or null
  command = plan
  variables {
    reserved_concurrency = 124
  }
  expect_failures = [var.reserved_concurrency]
}

run "heartbeat_slower_than_the_cdn" {
  # says: settings.heartbeat_seconds = 45 must be below cdn.read_timeout_seconds = 30
  command = plan
  variables {
    cdn      = { enabled = true, read_timeout_seconds = 30 }
    settings = { heartbeat_seconds = 45 }
  }
  expect_failures = [var.cdn]
}

run "cdn_more_patient_than_cloudfront" {
  # says: cdn.read_timeout_seconds = 1000 is not a whole number from 1 to 120
  command = plan
  variables {
    cdn = { enabled = true, read_timeout_seconds = 1000 }
  }
  expect_failures = [var.cdn]
}

run "cdn_with_an_open_url" {
  # says: with NONE everybody could go around CloudFront
  command = plan
  variables {
    cdn               = { enabled = true }
    url_authorization = "NONE"
  }
  expect_failures = [var.cdn]
}

run "cdn_name_without_certificate" {
  # says: cdn.aliases need cdn.certificate_arn
  command = plan
  variables {
    cdn = { enabled = true, aliases = ["stream.example.com"] }
  }
  expect_failures = [var.cdn]
}

run "caller_identity_on_an_open_url" {
  # says: without it no request carries a caller
  command = plan
  variables {
    settings          = { auth = "iam" }
    url_authorization = "NONE"
  }
  expect_failures = [var.url_authorization]
}

run "caller_identity_behind_the_cdn" {
  # says: CloudFront signs every request as itself
  command = plan
  variables {
    settings = { auth = "iam" }
    cdn      = { enabled = true }
  }
  expect_failures = [var.cdn]
}

run "items_expire_inside_the_replay_window" {
  # says: items_ttl_seconds = 3600 is shorter than the replay window and its overlap (3610 s)
  command = plan
  variables {
    items_ttl_seconds = 3600
  }
  expect_failures = [var.items_ttl_seconds]
}

run "idle_polls_faster_than_busy_ones" {
  # says: an idle stream polls less often, never more often
  command = plan
  variables {
    settings = { poll_seconds = 2, poll_max_seconds = 1 }
  }
  expect_failures = [var.settings]
}

run "replay_shorter_than_overlap" {
  # says: every event id would be expired when it is made
  command = plan
  variables {
    settings = { replay_seconds = 10, overlap_seconds = 10 }
  }
  expect_failures = [var.settings]
}

run "setting_above_its_range" {
  # says: settings.heartbeat_seconds = 1000 is not a number from 0.05 to 300. The function would
  command = plan
  variables {
    settings = { heartbeat_seconds = 1000 }
  }
  expect_failures = [var.settings]
}

run "settings_below_their_ranges" {
  # says: settings.max_stream_bytes = 0 is not a whole number from 1 to 200000000. settings.trace_span_budget = -1 is not
  command = plan
  variables {
    settings = { max_stream_bytes = 0, trace_span_budget = -1 }
  }
  expect_failures = [var.settings]
}

run "fraction_where_the_function_counts" {
  # says: settings.max_connections = 10.5 is not a whole number from 1 to 60000
  command = plan
  variables {
    settings = { max_connections = 10.5 }
  }
  expect_failures = [var.settings]
}

run "unknown_trace_detail" {
  # says: settings.trace_detail must be "budget" or "full"
  command = plan
  variables {
    settings = { trace_detail = "some" }
  }
  expect_failures = [var.settings]
}

run "unfinished_authentication" {
  # says: settings.auth must be "none" or "iam"
  command = plan
  variables {
    settings = { auth = "jwt" }
  }
  expect_failures = [var.settings]
}

run "weak_id_key" {
  # says: must have 16 to 64 bytes of UTF-8
  command = plan
  variables {
    id_key_parameter = "/sse-streaming/id-key"
  }
  override_data {
    target = data.aws_ssm_parameter.id_key[0]
    values = { value = "short" }
  }
  expect_failures = [data.aws_ssm_parameter.id_key]
}

run "id_key_of_many_bytes_in_few_characters" {
  # says: must have 16 to 64 bytes of UTF-8
  command = plan
  variables {
    id_key_parameter = "/sse-streaming/id-key"
  }
  override_data {
    target = data.aws_ssm_parameter.id_key[0]
    values = { value = "ééééééééééééééééééééééééééééééééé" }
  }
  expect_failures = [data.aws_ssm_parameter.id_key]
}

run "shortest_id_key_in_bytes_is_accepted" {
  command = plan
  variables {
    id_key_parameter = "/sse-streaming/id-key"
  }
  override_data {
    target = data.aws_ssm_parameter.id_key[0]
    values = { value = "éééééééé" }
  }
}

run "index_that_dynamodb_would_not_name" {
  # says: items_index = "a b" must be 3 to 255 of letters
  command = plan
  variables {
    items_index = "a b"
  }
  expect_failures = [var.items_index]
}

run "table_by_arn" {
  # says: existing_tables takes table names
  command = plan
  variables {
    existing_tables = { items = "arn:aws:dynamodb:us-east-1:123456789012:table/items" }
  }
  expect_failures = [var.existing_tables]
}

run "retention_that_cloudwatch_does_not_know" {
  # says: log_retention_days must be one of CloudWatch's steps
  command = plan
  variables {
    log_retention_days = 42
  }
  expect_failures = [var.log_retention_days]
}

run "long_service_name" {
  # says: service_name must be 3 to 48 of a-z, 0-9
  command = plan
  variables {
    service_name = "a-name-that-is-far-too-long-for-the-role-that-it-becomes-part-of"
  }
  expect_failures = [var.service_name]
}

run "namespace_of_awss_own" {
  # says: digits and _ . / # : -, and not begin with
  command = plan
  variables {
    metrics_namespace = "AWS/Lambda"
  }
  expect_failures = [var.metrics_namespace]
}

run "namespace_that_begins_with_a_colon" {
  # says: and not begin with : or AWS/
  command = plan
  variables {
    metrics_namespace = ":streams"
  }
  expect_failures = [var.metrics_namespace]
}

run "rollback_to_a_name" {
  # says: live_version must be the number of a published version
  command = plan
  variables {
    live_version = "$LATEST"
  }
  expect_failures = [var.live_version]
}

run "everything_at_once_is_accepted" {
  command = apply
  variables {
    id_key_parameter     = "/sse-streaming/id-key"
    kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    reserved_concurrency = 125
    cors                 = { allow_origins = ["https://www.example.com"] }
    cdn                  = { enabled = true }
    sampling_rule        = { fixed_rate = 0.1 }
    alarm_actions        = ["arn:aws:sns:us-east-1:123456789012:alarms"]
    deletion_protection  = true
  }
}
