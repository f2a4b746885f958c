"""What a built zip is told with: its sizes, what was left out, how the function is configured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.app_package.build import AppPackage

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MB = 1024 * 1024  # as these limits are counted
DIRECT_UPLOAD_BYTES = 50 * _MB
UNZIPPED_BYTES = 250 * _MB
_LARGEST_SHOWN = 10
_NAMES_SHOWN = 6


def describe(built: AppPackage) -> str:
    """For people."""
    return "\n".join(
        (
            *_sizes(built),
            *_largest(built),
            *_left_out(built),
            *_notes(built),
            *_configuration(built),
        )
    )


def is_too_large(built: AppPackage) -> bool:
    """Whether Lambda refuses it, however it is uploaded."""
    return built.package.unzipped_bytes > UNZIPPED_BYTES


def _sizes(built: AppPackage) -> Iterator[str]:
    package = built.package
    yield f"{package.path}"
    yield (
        f"  {_mb(package.zipped_bytes)} zipped of {_mb(DIRECT_UPLOAD_BYTES)} that can be uploaded"
        f" directly, {_mb(package.unzipped_bytes)} unzipped of {_mb(UNZIPPED_BYTES)}"
    )
    if is_too_large(built):
        yield (
            "  Lambda refuses it: it is too large unzipped. Leave out packages, go without bytecode"
            " (NO_BYTECODE=1), or deploy a container image"
        )
    elif package.zipped_bytes > DIRECT_UPLOAD_BYTES:
        yield "  Upload it through S3"
    yield (
        f"  {package.files} files, {package.bytecode_files} of them bytecode; content digest"
        f" {package.content_digest}"
    )


def _largest(built: AppPackage) -> Iterator[str]:
    yield "  largest parts, zipped and unzipped:"
    for part, size in built.package.parts.most_common(_LARGEST_SHOWN):
        yield f"  {_mb(size):>10}  {_mb(built.unzipped_parts[part]):>10}  {part}"


def _left_out(built: AppPackage) -> Iterator[str]:
    if built.files.left_out:
        yield "  left out:"
    for reason, names in built.files.left_out.items():
        yield f"    {reason}: {_listed(names)}"


def _notes(built: AppPackage) -> Iterator[str]:
    for path in built.files.with_secrets:
        yield f"  {path} seems to hold a key: whoever may read the function can read it"
    for path, name in built.imports_left_out:
        yield f"  {path} imports {name}, which was left out as a test: its import will fail"
    if not built.has_requirements:
        yield "  there is no requirements.txt: the zip holds the library and the app alone"
    if built.markers_read_by:
        yield (
            f"  Python {built.markers_read_by} judged which requirements apply to Python"
            f" {built.target.python}, which is not on this computer: some may be missing"
        )


def _configuration(built: AppPackage) -> Iterator[str]:
    setting = built.setting
    yield f"  configure the function (also in {built.manifest.name}):"
    yield f"    handler       {setting.handler}"
    yield f"    runtime       python{built.target.python}, {built.target.architecture}"
    for name, value in setting.environment.items():
        yield f"    variable      {name}={value}"
    if setting.is_buffered:
        yield (
            "    Lambda's own runtime runs this handler, and buffers what it answers. To stream:"
            " handler = streaming(function), of a Request"
        )
        return
    yield "    Function URL  invoke mode RESPONSE_STREAM"
    if setting.is_feed:
        yield f'    feed          its table and index: "feed" in {built.manifest.name}'
    if setting.is_guessed:
        module, _, attribute = setting.handler.rpartition(".")
        yield (
            f"    What {module}:{attribute} is, only its import could tell: it is taken for a"
            " handler of asgi(), wsgi() or streaming(). If it is an ASGI app, give"
            f" APP=lambda_streaming.entrypoint:handler, and set STREAMING_APP={module}:{attribute}"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / _MB:.1f} MB"
