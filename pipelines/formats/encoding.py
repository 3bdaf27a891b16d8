"""The character encoding of a text file, found from its bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np

from pipelines.formats.filetypes import refuse_wrong_ending


def detect_encoding(path: Path) -> tuple[str, str]:
    """The encoding of a text file and a remark where it is not UTF-8.

    A byte order mark decides; then zero bytes (UTF-16); then UTF-8 if the whole file is valid;
    else Windows-1252. Raises UnreadableFile for binary content.
    """
    with path.open("rb") as stream:
        head = stream.read(65_536)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32", f"{path.name} was read as UTF-32."
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", ""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", f"{path.name} was read as UTF-16."
    pairs = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2)
    zeros = (pairs == 0).mean(axis=0) if len(pairs) else np.zeros(2)
    for encoding, zero, letter in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if zeros[zero] > 0.4 and zeros[letter] < 0.02:
            return encoding, f"{path.name} was read as UTF-16 without a byte order mark."
    controls = sum(head.count(byte) for byte in range(32) if byte not in (9, 10, 11, 12, 13, 27))
    if controls > 0.01 * len(head):
        raise refuse_wrong_ending(path, "binary data, not text")
    if _is_utf8(path):
        return "utf-8", ""
    return "cp1252", f"{path.name} is not UTF-8 and was read as Windows-1252 (Western European)."


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        try:
            while block := stream.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
