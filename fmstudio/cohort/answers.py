"""What a person says once for all files of a cohort: checked, and put with the files it is about.

Which questions there are is for the pipelines to say (see `contracts.Asking`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fmstudio.contracts import Asking, pipelines
from fmstudio.errors import InputError
from fmstudio.types import Question, Source


def questions() -> dict[str, tuple[Question, Asking]]:
    """Every question that a pipeline may ask, by its key, with the pipeline."""
    asking = (pipeline for pipeline in pipelines().values() if isinstance(pipeline, Asking))
    return {one.key: (one, pipeline) for pipeline in asking for one in pipeline.questions}


def checked_answers(given: Mapping[str, str]) -> dict[str, str]:
    """The answers as they are kept, by key. Raises InputError for one that cannot be an answer."""
    known = questions()
    for key in given:
        if key not in known:
            raise InputError(
                f"No kind of data asks for '{key}'.", hint=f"Use one of: {', '.join(known)}."
            )
    return {key: known[key][1].checked_answer(key, said) for key, said in given.items()}


def with_answers(
    modality: str, sources: Sequence[Source], answers: Mapping[str, str]
) -> tuple[Source, ...]:
    """The sources, each file with the answers to the questions of its modality.

    An answer that a file brings along goes before the one given here.
    """
    if not answers:
        return tuple(sources)
    pipeline = pipelines()[modality]
    asked = pipeline.questions if isinstance(pipeline, Asking) else ()
    own = {one.key: answers[one.key] for one in asked if one.key in answers}
    if not own:
        return tuple(sources)
    return tuple(
        s if s.path is None else replace(s, answers=tuple((own | dict(s.answers)).items()))
        for s in sources
    )
