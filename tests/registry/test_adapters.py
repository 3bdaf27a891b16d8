import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.types import TaskSpec

SUM = "0123456789abcdef" * 4


@pytest.fixture
def adapter(registry, project):
    return registry.add_adapter("adapter-00000a", project.id, None, "imported", {"rank": 8})


def test_an_adapter_is_found_by_id_and_by_alias(registry, adapter):
    named = registry.set_alias(adapter.id, "champion")

    assert named.aliases == ("champion",)
    assert registry.adapter(adapter.id) == registry.adapter("Sepsis/champion") == named


def test_an_alias_points_to_one_adapter_of_its_project(registry, project, adapter):
    other = registry.add_adapter("adapter-00000b", project.id, None, "other", {})
    registry.set_alias(adapter.id, "champion")

    registry.set_alias(other.id, "champion")

    assert registry.adapter("Sepsis/champion").id == other.id
    assert registry.adapter(adapter.id).aliases == ()


def test_two_projects_each_have_a_champion(registry, adapter):
    elsewhere = registry.create_project("A/B", TaskSpec("binary"))
    other = registry.add_adapter("adapter-00000b", elsewhere.id, None, "other", {})

    registry.set_alias(adapter.id, "champion")
    registry.set_alias(other.id, "champion")

    assert registry.adapter("Sepsis/champion").id == adapter.id
    assert registry.adapter("A/B/champion").id == other.id


@pytest.mark.parametrize("alias", ["", "a/b", "a b", "x" * 41, "../up"])
def test_an_alias_that_cannot_be_typed_is_refused(registry, adapter, alias):
    with pytest.raises(InputError, match="cannot be an alias"):
        registry.set_alias(adapter.id, alias)


@pytest.mark.parametrize("reference", ["adapter-ffffff", "Sepsis/best", "Nowhere/champion"])
def test_an_unknown_adapter_is_named(registry, adapter, reference):
    with pytest.raises(NotFound):
        registry.adapter(reference)


def test_an_id_is_taken_only_once(registry, project, adapter):
    with pytest.raises(InputError, match=adapter.id):
        registry.add_adapter(adapter.id, project.id, None, "again", {})


def test_deleting_an_adapter_keeps_the_run_that_made_it(registry, run):
    registry.attach_worker(run.id, 7, 1.0)
    adapter = registry.new_adapter_id()
    registry.finish_run(run.id, {}, adapter, "first", {})
    registry.add_prediction(adapter, "case 1", {}, {})

    registry.delete_adapter(adapter)

    assert registry.adapters() == []
    assert registry.predictions() == []
    assert registry.run(run.id).status == "finished"
    assert registry.run(run.id).adapter_id is None
    with pytest.raises(NotFound):
        registry.adapter("Sepsis/champion")


def test_a_prediction_keeps_hashes_and_figures_but_no_words(registry, adapter):
    output = {"probabilities": {"yes": 0.7}, "remarks": ["doe.png: inverted"], "warnings": ["x"]}

    made = registry.add_prediction(adapter.id, "case 1", {"film": [SUM]}, output)

    assert registry.predictions(adapter.id) == [made]
    assert made.inputs == {"film": [SUM]}
    assert made.output == {"probabilities": {"yes": 0.7}}
    file = (registry.home / "registry.sqlite").read_bytes()
    log = (registry.home / "registry.sqlite-wal").read_bytes()
    assert b"doe.png" not in file + log


@pytest.mark.parametrize("inputs", [{"film": ["doe.png"]}, {"note": SUM}])
def test_an_input_that_is_not_a_hash_is_never_written(registry, adapter, inputs):
    with pytest.raises(TypeError, match="SHA-256"):
        registry.add_prediction(adapter.id, "case 1", inputs, {})
    assert registry.predictions() == []


def test_the_newest_predictions_come_first(registry, adapter):
    for number in range(5):
        registry.add_prediction(adapter.id, f"case {number}", {}, {})

    assert [p.case_id for p in registry.predictions(limit=2)] == ["case 4", "case 3"]
