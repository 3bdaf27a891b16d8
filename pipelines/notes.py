"""What doctors write -> clean text: from table cells, text files, PDF, Word and RTF.

Text stays as written: only characters that cannot be seen are removed, and forms of one letter
are made one (Unicode NFC), so that the same word is the same to the model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmstudio.types import ModalityInput, Preview, Source
from pipelines.formats.documents import MAX_CHARACTERS, READ_KEYS, read_document
from pipelines.formats.filetypes import starts_as
from pipelines.headers import about_files, without_headers

# C0 and C1 controls but tab and line feed; soft hyphen, zero-width space, word joiner, byte order
# mark; embeddings, overrides and isolates of direction, which can show another order than is there.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
# Joiners spell words in Persian and Indic scripts and bind emoji; between Latin letters they hide.
_LATIN_JOINER = re.compile("(?<=[\x00-\u024f])[\u200c\u200d]|^[\u200c\u200d]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# Scripts that are written for one language only, by the first word of a letter's Unicode name.
_LANGUAGE_OF_SCRIPT = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "THAI": "th",
    "GREEK": "el",
    "HEBREW": "he",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "KHMER": "km",
    "LAO": "lo",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "GUJARATI": "gu",
}


@dataclass(frozen=True)
class Notes:
    """Free text about a patient, typed or in documents."""

    name: str = "notes"
    label: str = "Doctor's notes"
    kind: str = "text"
    suffixes: tuple[str, ...] = (
        ".txt",
        ".md",
        ".pdf",
        ".docx",
        ".docm",
        ".odt",
        ".rtf",
        ".html",
        ".htm",
        ".xhtml",
        ".xml",
        ".cda",
    )
    order: int = 2
    version: int = 2
    inline: bool = True
    hints: tuple[str, ...] = (
        "report",
        "text",
        "letter",
        "summary",
        "dialogue",
        "history",
        "impression",
        "comment",
    )

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read all texts of one case into one str; several get their column's name as heading.

        Raises UnreadableFile for a document without text.
        """
        remarks: list[str] = []
        texts: list[tuple[str, str]] = []
        for source in sources:
            if source.path is None:
                raw, name = source.text or "", source.name
            else:
                raw, found = read_document(source.path)
                remarks.extend(found)
                name = source.path.name
            text = clean(raw, name, remarks)
            if text:
                texts.append((source.name, text))
        if len(texts) > 1:
            joined = "\n\n".join(f"{name}:\n{text}" for name, text in texts)
        else:
            joined = "".join(text for _, text in texts)
        if len(joined) > MAX_CHARACTERS:
            remarks.append(
                f"The notes have {len(joined):,} characters; the first {MAX_CHARACTERS:,} are used."
            )
            joined = joined[:MAX_CHARACTERS]
        return ModalityInput(
            self.kind,
            joined,
            np.array([bool(joined)]),
            {"language": guess_language(joined)},
            tuple(remarks),
        )

    def preview(self, sources: Sequence[Source]) -> Preview:
        """The text as the model gets it."""
        read = self.read(sources)
        return Preview(text=str(read.values), remarks=read.remarks)

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their words: author and title in properties."""
        return about_files(sources)

    def recognises(self, path: Path) -> bool:
        """True for the first bytes of a document, and for what may be text."""
        return starts_as(path) in READ_KEYS

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)


def clean(text: str, name: str, remarks: list[str]) -> str:
    """Line ends as \\n, Unicode NFC, unseen characters removed with a remark on how many."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\x85", "\n")
    text, broken = _SURROGATE.subn("\ufffd", text)
    text, unseen = _UNSEEN.subn("", text)
    text, joiners = _LATIN_JOINER.subn("", text)
    if unseen + joiners:
        remarks.append(f"{name}: {unseen + joiners} unseen characters were removed.")
    broken = text.count("\ufffd")
    if broken:
        remarks.append(f"{name}: {broken} characters could not be read and show as \ufffd.")
    text = unicodedata.normalize("NFC", text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{4,}", "\n\n\n", text).strip()


def guess_language(text: str) -> str | None:
    """The ISO 639-1 code where the script leaves no doubt, else None (Latin, Cyrillic, Arabic…)."""
    letters = [letter for letter in text[:4_000] if letter.isalpha()]
    if len(letters) < 4:
        return None
    scripts = Counter(unicodedata.name(letter, "?").split()[0] for letter in letters)
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana > 0.1 * len(letters) and kana + scripts["CJK"] > 0.5 * len(letters):
        return "ja"
    if scripts["CJK"] > 0.5 * len(letters) and not kana:
        return "zh"
    script, count = scripts.most_common(1)[0]
    return _LANGUAGE_OF_SCRIPT.get(script) if count > 0.5 * len(letters) else None


PIPELINE = Notes()
