"""A container image's files run as they lie in it, behind awslambdaric."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.fakes.asgi import get
from tests.fakes.managed_runtime import managed_function
from tools import zip_manifest
from tools.container_image import lay_out
from tools.package_zip import ROOT, write_zip

APP = """
from lambda_streaming import StreamingResponse, streaming

handler = streaming(lambda request: StreamingResponse(iter(["one", "two"])))
"""


def test_what_is_copied_to_the_task_root_streams(tmp_path: Path) -> None:
    """The base image's entrypoint starts the same interface client there."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "src" / "lambda_streaming", tree / "lambda_streaming")
    (tree / "main.py").write_text(APP)
    zip_manifest.place(tree, "3.13", "arm64")
    context = tmp_path / "context"
    lay_out(write_zip(tree, tmp_path / "a.zip").path, None, "arm64", context)

    root = context / "function"
    environ = {"PYTHONPATH": "", "AWS_LAMBDA_FUNCTION_NAME": "shop", "LAMBDA_TASK_ROOT": str(root)}
    with managed_function(root, "main.handler", environ) as function:
        function.api.add(get())
        function.api.wait_until(lambda: len(function.api.polls()) == 2, 20)
        (answer,) = function.api.answers()
    assert [data for _, data in answer.chunks[2:]] == [b"one", b"two"]
