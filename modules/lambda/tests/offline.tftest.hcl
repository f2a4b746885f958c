# Plans by the real provider without AWS: what policies, environment and alarms will say. The
# details are read from these plans by tests/terraform.

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "unused"
  secret_key                  = "unused"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = data.aws_ssm_parameter.id_key[0]
  values = { value = "0123456789abcdef0123456789abcdef" }
}

variables {
  package_path = "./tests/mocks/function.zip"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_lambda_function_url.live.invoke_mode == "RESPONSE_STREAM"
    error_message = "The Function URL must stream."
  }
}

run "everything" {
  command = plan

  variables {
    service_name         = "prices"
    architecture         = "x86_64"
    python_version       = "3.12"
    kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    id_key_parameter     = "/prices/id-key"
    existing_tables      = { items = "news" }
    items_index          = "by_mood"
    reserved_concurrency = 125
    sampling_rule        = { fixed_rate = 0.1 }
    cors                 = { allow_origins = ["https://www.example.com"] }
    cdn                  = { enabled = true }
    alarm_actions        = ["arn:aws:sns:eu-west-1:123456789012:alarms"]
  }
}

run "longest" {
  command = plan

  variables {
    timeout_seconds = 900
    settings        = { max_stream_seconds = 800 }
  }
}

run "public" {
  command = plan

  variables {
    url_authorization = "NONE"
    collector_enabled = false
  }
}
