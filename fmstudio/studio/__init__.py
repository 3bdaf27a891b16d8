"""The verbs that pages and command line call: the only door to everything below.

`verbs` holds the class; `sample`, `exchange`, `batch` and `uploads` each hold one longer verb.
"""

from fmstudio.studio.verbs import Studio

__all__ = ["Studio"]
