"""A Flask app, and the one line that serves it on Lambda. Its report is sent line by line."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator

from flask import Flask, Response, abort, jsonify, request, stream_with_context, url_for
from werkzeug.exceptions import HTTPException

from lambda_streaming import step, wsgi

MAX_ROWS = 100_000

app = Flask(__name__)


@app.get("/")
def start() -> Response:
    """`url_for` knows the stage of a REST API: "/prod/report.csv"."""
    return jsonify(report=url_for("report", rows=5), health=url_for("health"))


@app.get("/health")
def health() -> Response:
    return jsonify(status="healthy")


@app.get("/report.csv")
def report() -> Response:
    """What is refused is refused here: from the first line on the status is sent."""
    rows = request.args.get("rows", default=5, type=int)
    if not 1 <= rows <= MAX_ROWS:
        abort(400, f"rows must be 1 to {MAX_ROWS}")
    pause_seconds = min(max(request.args.get("pause_ms", default=0, type=int), 0), 1000) / 1000
    lines = stream_with_context(measured(rows, pause_seconds))
    return Response(lines, mimetype="text/csv", headers={"x-rows": str(rows)})


def measured(rows: int, pause_seconds: float) -> Iterator[str]:
    """Each line leaves as soon as it is yielded. A step is a span of the trace."""
    yield line("number", "square", "path")
    for number in range(1, rows + 1):
        with step("measure", number=number):
            time.sleep(pause_seconds)
        yield line(str(number), str(number**2), request.path)  # the request is still there


def line(*fields: str) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue()


@app.post("/echo")
def echo() -> Response:
    """A form, a file or JSON, whatever came."""
    files = {name: len(file.read()) for name, file in request.files.items()}
    return jsonify(json=request.get_json(silent=True), form=request.form, file_bytes=files)


@app.errorhandler(HTTPException)
def answer_errors_alike(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error={"code": error.code, "message": error.description}), error.code or 500


handler = wsgi(app)
