# CloudFront in front of the Function URL, which then admits CloudFront and holders of the callers policy.

locals {
  # Made by AWS, the same in every account:
  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
  caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

  cdn_count = var.cdn.enabled ? 1 : 0
  cdn_name  = "${var.name}-${var.place.region}"
  # What is kept for a second is shared by all clients: one policy for all such paths.
  kept_paths = var.cdn.enabled ? var.second_long_paths : []
}

resource "aws_cloudfront_origin_access_control" "function" {
  count = local.cdn_count

  name                              = local.cdn_name
  description                       = "Signs requests to the Function URL of ${var.name}"
  origin_access_control_origin_type = "lambda"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# All that a viewer sends but Host, which is signed, and the trace header: who sets that one chooses the
# trace and whether it is sampled, so a stranger could fill X-Ray or hide from it.
resource "aws_cloudfront_origin_request_policy" "function" {
  count = local.cdn_count

  name    = local.cdn_name
  comment = "Everything but Host and X-Amzn-Trace-Id"

  headers_config {
    header_behavior = "allExcept"

    headers {
      items = ["host", "x-amzn-trace-id"]
    }
  }

  cookies_config {
    cookie_behavior = "all"
  }

  query_strings_config {
    query_string_behavior = "all"
  }
}

# The origin is part of the key: the CORS headers of one site must not reach another.
resource "aws_cloudfront_cache_policy" "second" {
  count = length(local.kept_paths) == 0 ? 0 : 1

  name        = "${local.cdn_name}-second"
  comment     = "One answer a second, however many ask"
  min_ttl     = 1
  default_ttl = 1
  max_ttl     = 1

  parameters_in_cache_key_and_forwarded_to_origin {
    headers_config {
      header_behavior = "whitelist"

      headers {
        items = ["origin"]
      }
    }

    cookies_config {
      cookie_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "all"
    }
  }
}

resource "aws_cloudfront_distribution" "function" {
  #checkov:skip=CKV_AWS_68:A web ACL belongs to the account; cdn.web_acl_arn brings one
  #checkov:skip=CKV_AWS_86:Access logs hold query strings, which may carry what callers filter by; cdn.access_log_bucket switches them on
  #checkov:skip=CKV_AWS_174:The minimum TLS version can be set only with a certificate of one's own; then it is TLS 1.2
  #checkov:skip=CKV_AWS_305:A stream service has no root document
  #checkov:skip=CKV_AWS_310:There is one origin; Lambda is redundant by itself
  #checkov:skip=CKV_AWS_374:Where callers may come from is not this module's to decide
  #checkov:skip=CKV2_AWS_32:The function sets its own headers; cdn.response_headers_policy_id adds more
  #checkov:skip=CKV2_AWS_42:cdn.certificate_arn brings a certificate of one's own
  #checkov:skip=CKV2_AWS_47:A web ACL belongs to the account; cdn.web_acl_arn brings one
  count = local.cdn_count

  enabled             = true
  is_ipv6_enabled     = true
  comment             = var.name
  aliases             = var.cdn.aliases
  price_class         = var.cdn.price_class
  web_acl_id          = var.cdn.web_acl_arn
  http_version        = "http2and3"
  wait_for_deployment = var.cdn.wait_for_deployment
  tags                = var.tags

  origin {
    origin_id                = "function-url"
    domain_name              = trimsuffix(trimprefix(aws_lambda_function_url.live.function_url, "https://"), "/")
    origin_access_control_id = aws_cloudfront_origin_access_control.function[0].id

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # Also the longest silence between two packets: heartbeats must be more frequent.
      origin_read_timeout      = var.cdn.read_timeout_seconds
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id = "function-url"
    # Not redirect-to-https: what a redirected request carried has crossed the network in clear.
    viewer_protocol_policy = "https-only"
    # The smallest set of CloudFront's with DELETE, which closes a stream.
    allowed_methods            = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.caching_disabled
    origin_request_policy_id   = aws_cloudfront_origin_request_policy.function[0].id
    response_headers_policy_id = var.cdn.response_headers_policy_id
    compress                   = false
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.kept_paths

    content {
      path_pattern               = ordered_cache_behavior.value
      target_origin_id           = "function-url"
      viewer_protocol_policy     = "https-only"
      allowed_methods            = ["GET", "HEAD", "OPTIONS"]
      cached_methods             = ["GET", "HEAD"]
      cache_policy_id            = aws_cloudfront_cache_policy.second[0].id
      origin_request_policy_id   = aws_cloudfront_origin_request_policy.function[0].id
      response_headers_policy_id = var.cdn.response_headers_policy_id
      compress                   = false
    }
  }

  dynamic "logging_config" {
    for_each = var.cdn.access_log_bucket[*]

    content {
      bucket          = logging_config.value
      prefix          = var.cdn.access_log_prefix
      include_cookies = false
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.cdn.certificate_arn == null
    acm_certificate_arn            = var.cdn.certificate_arn
    ssl_support_method             = var.cdn.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.cdn.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
  }
}

# The source bounds both grants to this distribution, and the URL is all it can reach.
resource "aws_lambda_permission" "cdn" {
  for_each = var.cdn.enabled ? toset(["InvokeFunctionUrl", "InvokeFunction"]) : toset([])

  statement_id  = "CloudFront${each.key}"
  action        = "lambda:${each.key}"
  function_name = var.function.name
  qualifier     = var.function.alias
  principal     = "cloudfront.amazonaws.com"
  source_arn    = aws_cloudfront_distribution.function[0].arn

  lifecycle {
    replace_triggered_by = [aws_lambda_function_url.live.url_id]
  }
}
