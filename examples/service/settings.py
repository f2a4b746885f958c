"""The service's environment variables, read once. A bad one fails the init with its name."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .dependencies import Archive

_DEPENDENCIES = ("DEPENDENCIES_BUCKET", "DEPENDENCIES_KEY", "DEPENDENCIES_SHA256")


class Settings(BaseSettings):
    """Errors name variables, and never show a value: it may be a secret."""

    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    debug: bool = Field(default=False, validation_alias="DEBUG")
    metrics_namespace: str = Field(
        default="Service", validation_alias="POWERTOOLS_METRICS_NAMESPACE", max_length=255
    )
    ip_data_api_key: SecretStr | None = Field(
        default=None, validation_alias="IP_DATA__API_KEY", min_length=8
    )
    processor: str | None = Field(
        default=None, validation_alias="PROCESSOR", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
    )
    dependencies_bucket: str | None = Field(default=None, validation_alias=_DEPENDENCIES[0])
    dependencies_key: str | None = Field(default=None, validation_alias=_DEPENDENCIES[1])
    dependencies_sha256: str | None = Field(
        default=None, validation_alias=_DEPENDENCIES[2], pattern=r"^[0-9a-f]{64}$"
    )

    # Lambda's own.
    runtime_api: str | None = Field(default=None, validation_alias="AWS_LAMBDA_RUNTIME_API")
    region: str | None = Field(default=None, validation_alias="AWS_REGION")
    function_name: str | None = Field(default=None, validation_alias="AWS_LAMBDA_FUNCTION_NAME")

    @model_validator(mode="after")
    def _is_whole(self) -> Settings:
        if self.runtime_api is not None:
            for name, value in (
                ("AWS_REGION", self.region),
                ("AWS_LAMBDA_FUNCTION_NAME", self.function_name),
            ):
                if value is None:
                    raise ValueError(f"{name} is not set, which Lambda sets for every function")
        given = (self.dependencies_bucket, self.dependencies_key, self.dependencies_sha256)
        missing = [name for name, value in zip(_DEPENDENCIES, given, strict=True) if value is None]
        if 0 < len(missing) < len(given):
            raise ValueError(f"{', '.join(missing)}: not set, but other DEPENDENCIES_* are")
        return self

    @property
    def archive(self) -> Archive | None:
        """What is fetched at init: nothing where no AWS is."""
        bucket, key, sha256 = (
            self.dependencies_bucket,
            self.dependencies_key,
            self.dependencies_sha256,
        )
        if self.region is None or bucket is None or key is None or sha256 is None:
            return None
        return Archive(bucket, key, sha256)
