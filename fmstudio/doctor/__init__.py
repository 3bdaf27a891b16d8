"""What is wrong with an installation or with a home folder, and what to do about it."""

from fmstudio.doctor.examine import examine

__all__ = ["examine"]
