"""Foundation Model Studio: adapt one shared multimodal model to your own patients.

`from fmstudio import Studio` is the door for Python: see docs/from-python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmstudio.version import __version__

if TYPE_CHECKING:
    from fmstudio.run_config import RunConfig
    from fmstudio.studio import Studio

__all__ = ["RunConfig", "Studio", "__version__"]


def __getattr__(name: str) -> object:
    """Studio and RunConfig are imported when they are asked for: many modules need neither."""
    if name == "Studio":
        from fmstudio.studio import Studio

        return Studio
    if name == "RunConfig":
        from fmstudio.run_config import RunConfig

        return RunConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
