"""What pages say about bases, encoders, a verdict, and an addition as it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fmstudio.checkpoints.compatibility import Check, Verdict
from fmstudio.run_config import RunConfig
from fmstudio.runs.additions import Addition
from fmstudio.studio.bases import Use
from fmstudio.ui import additions, encoders
from fmstudio.ui.pages import bases

VERDICT = Verdict(
    "hub",
    "lab/<vit>",
    "0123abcd",
    "vit",
    "vit",
    "frames",
    "mit",
    False,
    "",
    "",
    86_000_000,
    346.0,
    660.0,
    ("config.json",),
    (
        Check("Access", "open to everybody"),
        Check("Licence", "not stated", "note", "Ask its owner."),
    ),
)
NO = Check("Kind of data", "lab/vit reads frames, not text.", "stop", "Add it for frames.")


@pytest.fixture
def kept(studio, tmp_path):
    """A home with a small text encoder."""
    from fmstudio.checkpoints.store import keep
    from tests.encoders.small import save_checkpoint

    folder = save_checkpoint("bert", tmp_path / "small-bert")
    return keep(folder, studio.settings, {"licence": "mit", "gated": True, "trained_on": "notes"})


def made_with(studio, kept, project: str = "Ward 7"):
    """An adapter whose card names the encoder."""
    at = studio.projects.create(project, "binary")
    card = {
        "base": "embedded",
        "checkpoints": [{"sha256": kept.sha256}],
        "metrics": {"auroc": {"value": 0.81, "low": 0.7, "high": 0.9}},
    }
    return studio.registry.add_adapter(studio.registry.new_adapter_id(), at.id, None, "ward", card)


def test_the_list_shows_bases_and_encoders_with_licence_and_who_uses_them(studio, kept):
    made_with(studio, kept)

    shown = bases.catalogue(studio.bases.catalogue())

    assert "Embedded base" in shown
    assert "Untrained weights" in shown
    assert "/bases?model=small-bert" in shown
    assert "gated" in shown
    assert shown.count('<td class="fm-number">1</td>') == 2  # of the base, and of the encoder


def test_an_encoder_tells_how_it_did_on_the_users_own_projects(studio, kept):
    adapter = made_with(studio, kept, "Ward <8>")

    entry = studio.bases.entry("small-bert")
    shown = bases.details(entry, studio.bases.uses(entry), bases.reads(studio))

    assert "Ward &lt;8&gt;" in shown
    assert "AUROC 0.810 (0.700 to 0.900)" in shown
    assert f"/adapters?adapter={adapter.id}" in shown
    assert "Doctor&#39;s notes" in shown
    assert kept.sha256 in shown


def test_an_encoder_that_nobody_used_says_so(studio, kept):
    assert "No adapter was made with it yet." in bases.details(
        studio.bases.entry("small-bert"), (), bases.reads(studio)
    )


def test_a_verdict_says_yes_or_no_first_and_marks_what_stands_against_it():
    yes = additions.verdict_view(VERDICT)
    no = additions.verdict_view(replace(VERDICT, checks=(*VERDICT.checks, NO)))

    assert yes.index("lab/&lt;vit&gt; can be added.") < yes.index("open to everybody")
    assert "86.0 million weights, 346 MB" in yes
    assert "Ask its owner." in yes
    assert "lab/&lt;vit&gt; cannot be added." in no
    assert "fm-badge fm-stop" in no
    assert "Add it for frames." in no


def test_a_download_shows_how_much_is_there_and_an_ended_one_how_it_ended():
    live = Addition("add-1", "lab/vit", "fetching", 0.0, VERDICT, None, 86.5, 346.0)

    assert "width:25.0%" in additions.progress(live)
    assert "86 MB of 346 MB" in additions.progress(live)
    assert "You may close this page." in additions.progress(live)
    added = replace(live, state="added", name="vit")
    assert "&#39;vit&#39; was added." in additions.progress(added)
    refused = replace(live, state="refused", error="The disk is <full>.", hint="Free some.")
    assert "The disk is &lt;full&gt;." in additions.progress(refused)
    assert "Nothing of it was kept." in additions.progress(replace(live, state="stopped"))


def test_the_review_names_the_encoder_of_each_modality_with_its_licence(studio, kept):
    config = RunConfig(modalities=("notes", "ehr"), encoders={"notes": "small-bert"})

    assert encoders.encoder_facts(studio, config, {"notes": "Notes"}) == [
        ("Notes read by", "small-bert · licence mit, gated")
    ]
    assert encoders.encoder_facts(studio, RunConfig(), {}) == []


def test_uses_keep_what_an_adapter_needs_to_be_found(studio, kept):
    adapter = made_with(studio, kept)

    (use,) = studio.bases.uses(studio.bases.entry("small-bert"))

    assert use == Use(adapter.id, "ward", "Ward 7", adapter.project_id, adapter.card["metrics"])


def test_of_many_adapters_a_model_names_the_newest_and_counts_all(studio, kept):
    made = [made_with(studio, kept, f"Ward {n}").id for n in range(3)]
    entry = studio.bases.entry("small-bert")

    uses = studio.bases.uses(entry, limit=2)

    assert entry.adapters == 3
    assert [use.adapter for use in uses] == made[:0:-1]
    assert "The newest 2 of 3 adapters." in bases.details(entry, uses, bases.reads(studio))
    studio.adapters.delete(made[0])
    assert studio.bases.entry("small-bert").adapters == 2
