"""The engines that stand in for DynamoDB and CloudWatch, and the proxy with faults before them."""
