"""The one place where the version stands: the build, the user agent and the service read it here.

Apart from the package's face, so that the library's own files can import it without a circle.
"""

from __future__ import annotations

__version__ = "0.1.0"
