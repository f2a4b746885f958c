# CloudFront in front of the Function URL, which then admits CloudFront and holders of the callers policy.

locals {
  # Made by AWS, the same in every account:
  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
  caching_disabled              = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  all_viewer_except_host_header = "b689b0a8-53d0-40ab-baf2-68738e2966ac"

  cdn_count = var.cdn.enabled ? 1 : 0
}

resource "aws_cloudfront_origin_access_control" "function" {
  count = local.cdn_count

  name                              = "${var.service_name}-${local.region}"
  description                       = "Signs requests to the Function URL of ${var.service_name}"
  origin_access_control_origin_type = "lambda"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "function" {
  #checkov:skip=CKV_AWS_68:A web ACL belongs to the account; cdn.web_acl_arn brings one
  #checkov:skip=CKV_AWS_86:Access logs hold query strings, which may carry what callers filter by
  #checkov:skip=CKV_AWS_174:The minimum TLS version can be set only with a certificate of one's own; then it is TLS 1.2
  #checkov:skip=CKV_AWS_305:A stream service has no root document
  #checkov:skip=CKV_AWS_310:There is one origin; Lambda is redundant by itself
  #checkov:skip=CKV_AWS_374:Where callers may come from is not this module's to decide
  #checkov:skip=CKV2_AWS_32:The function sets its own headers; they are part of its contract
  #checkov:skip=CKV2_AWS_42:cdn.certificate_arn brings a certificate of one's own
  #checkov:skip=CKV2_AWS_47:A web ACL belongs to the account; cdn.web_acl_arn brings one
  count = local.cdn_count

  enabled             = true
  is_ipv6_enabled     = true
  comment             = var.service_name
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
    target_origin_id       = "function-url"
    viewer_protocol_policy = "redirect-to-https"
    # The smallest set of CloudFront's with DELETE, which closes a stream.
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = local.caching_disabled
    origin_request_policy_id = local.all_viewer_except_host_header
    compress                 = false
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
  function_name = aws_lambda_function.sse_streaming.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "cloudfront.amazonaws.com"
  source_arn    = aws_cloudfront_distribution.function[0].arn

  lifecycle {
    replace_triggered_by = [aws_lambda_function_url.live.url_id]
  }
}
