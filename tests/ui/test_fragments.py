"""What a user typed or named reaches a page as text, never as markup."""

from __future__ import annotations

import numpy as np

from fmstudio.records import ProjectRecord
from fmstudio.types import Preview, TaskSpec
from fmstudio.ui import fragments
from fmstudio.ui.pages.finetune import task_step
from fmstudio.ui.previews import preview
from fmstudio.ui.roles import role_table

HOSTILE = "<img src=x onerror=alert(1)>\"'"


def test_text_is_escaped_with_its_quotes():
    assert fragments.text(HOSTILE) == "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;"


def test_an_attribute_cannot_be_left_through_a_quote():
    made = fragments.tag("select", fragments.NOTHING, data_column=HOSTILE)

    assert made == f'<select data-column="{fragments.text(HOSTILE)}"></select>'


def test_false_and_missing_attributes_are_left_out_and_true_ones_stand_alone():
    made = fragments.tag("option", fragments.text("a"), selected=True, hidden=False, title=None)

    assert made == "<option selected>a</option>"


def test_a_project_name_is_shown_as_it_was_typed(now):
    record = ProjectRecord(1, HOSTILE, TaskSpec("binary", description=HOSTILE), now)

    assert "<img" not in task_step(record)
    assert task_step(record).count("&lt;img") == 2


def test_a_note_and_a_file_name_cannot_bring_markup_into_a_preview():
    film = np.zeros((4, 4), np.uint8)
    shown = preview(
        Preview(
            images=((film, HOSTILE),),
            windows={HOSTILE: film},
            table=((HOSTILE,), (HOSTILE,)),
            text=HOSTILE,
            remarks=(HOSTILE,),
        )
    )

    assert "<img src=x" not in shown
    assert "onerror=alert(1)>" not in shown


def test_a_column_name_cannot_bring_markup_into_the_table_of_roles(studio):
    from fmstudio.cohort import ColumnRole

    column = ColumnRole(HOSTILE, "ignore", HOSTILE, (HOSTILE,), 1, 1)

    assert "<img" not in role_table([column], 1, studio.pipelines())


def test_the_proposed_role_is_the_one_that_is_chosen(studio):
    from fmstudio.cohort import ColumnRole

    shown = role_table([ColumnRole("x", "label", "", (), 1, 1)], 1, studio.pipelines())

    assert shown.count("selected") == 1
    assert '<option value="label" selected>' in shown


def test_an_interval_is_drawn_between_its_ends():
    assert "left:25.0%;width:50.0%" in fragments.whisker(0.5, 0.25, 0.75, 0.0, 1.0)
    assert "left:0.0%;width:100.0%" in fragments.whisker(0.5, -3.0, 3.0, 0.0, 1.0)
