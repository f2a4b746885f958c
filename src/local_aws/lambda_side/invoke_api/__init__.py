"""Lambda's Invoke API: what an SDK, the command line and other AWS services call."""
