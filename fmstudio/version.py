"""The version of the studio, also that of the package."""

__version__ = "0.1.0"
