"""The words by which a column of a log is known to count or to date."""

from __future__ import annotations

import re

# Words that name a time of counts where the column rises, and nothing sure elsewhere ("t").
TIME_WORDS = frozenset(
    tuple(
        (
            "t ts sec secs s ms us µs ns timestamps tstamp zeitstempel time elapsed rel relative "
            "abs raw from to event onset start since x recording rec stimulus"
        ).split()
    )
)


NUMBERING_WORDS = frozenset(
    tuple(
        (
            "sample samples index idx row rows frame frames n nr no i number num count counter "
            "packet seq sequence unnamed point points obs record column level tick ticks line id "
            "step"
        ).split()
    )
)


NO_EVENT_WORDS = frozenset(("birth", "dob", "born", "geburt", "geburtsdatum", "expiry", "expires"))


def words_of(name: str) -> set[str]:
    """The words of a name in small letters, without numbers: "TimeStamp 2" -> time, stamp."""
    parted = re.sub(r"(?<=[a-zµ])(?=[A-Z])", " ", name)
    return {word for word in re.split(r"[^a-zµ]+", parted.lower()) if word}
