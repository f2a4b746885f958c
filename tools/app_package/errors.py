"""Why a zip was not built. Each message says whose fault it is, what was given and what to do."""

from __future__ import annotations


class PackagingError(Exception):
    """A zip cannot be built from what was given."""


class AppError(PackagingError):
    """The app, or its name, is not what a zip can be made of: its author can change that."""


class RequirementError(PackagingError):
    """What the app requires cannot be had, or not together with what the library requires."""
