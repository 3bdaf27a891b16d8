"""One word of the command line as a value; argparse says which option a wrong one belongs to."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A number of rows. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of rows")
    return int(text)


def value_of(text: str) -> tuple[str, str]:
    """COLUMN=VALUE as its two parts; the value may hold more of =. Raises ArgumentTypeError."""
    return _pair(text, *text.partition("="))


def role_of(text: str) -> tuple[str, str]:
    """COLUMN=ROLE as its two parts; the column may hold more of =. Raises ArgumentTypeError."""
    return _pair(text, *text.rpartition("="))


def _pair(text: str, name: str, equals: str, value: str) -> tuple[str, str]:
    if not equals or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"'{text}' does not have two parts with = between them")
    return name.strip(), value.strip()


def listed(text: str) -> tuple[str, ...]:
    """Words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
