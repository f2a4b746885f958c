#!/bin/sh
exec python -m uvicorn main:app --host 127.0.0.1 --port "$AWS_LWA_PORT"
