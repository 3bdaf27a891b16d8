"""The commands on the whole home: backup, restore, doctor, diagnose."""

import json
import os
import zipfile

from fmstudio.__main__ import main
from fmstudio.registry import Registry
from fmstudio.settings import Settings
from fmstudio.studio import Studio
from fmstudio.studio.cohort_cases import load
from fmstudio.version import __version__


def test_a_home_goes_into_a_file_and_comes_back_elsewhere(
    run, studio, table, home, tmp_path, capsys
):
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", table(), copy=True)
    archive = tmp_path / "a.zip"

    told = json.loads(run("backup", archive, "--json").out)
    assert told["rows"]["cohorts"] == 1
    assert run("backup", archive).error == "'a.zip' is there already."
    assert run("restore", archive).error == "The home folder 'home' holds work."

    assert main(["restore", str(archive), "--home", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.startswith("Restored 1 projects, 1 cohorts")
    home.rename(tmp_path / "gone")
    with Studio.open(tmp_path / "new") as new:
        project = new.projects.get("ill")
        (cohort,) = new.registry.cohorts(project.id)
        assert len(load(new.settings, project, cohort).cases) == 30  # its fingerprint is compared


def test_the_doctor_names_what_is_wrong_in_the_home_and_what_to_do(run, studio, home):
    project = studio.projects.create("ill", "binary")
    assert json.loads(run("doctor", "--json").out)["findings"] == []
    studio.registry.add_adapter("adapter-00000a", project.id, None, "ill", {})

    (finding,) = json.loads(run("doctor", "--json").out)["findings"]

    assert (finding["about"], finding["lost"]) == ("row without files", True)
    assert "import its bundle again" in finding["do"]
    assert f"  {finding['what']} {finding['do']}" in run("doctor").out.splitlines()


def test_the_diagnostic_file_holds_no_name_and_nothing_of_a_patient(table, tmp_path, monkeypatch):
    """Planted in names of all kinds, in values, notes and logs; searched in every byte."""
    planted = "Quenstedt"
    home = tmp_path / planted
    settings = Settings(home)
    with Registry.open(settings) as registry, Studio(settings, registry) as mine:
        project = mine.projects.create(f"{planted} project", "binary")
        notes = [f"{planted} has coughed for {i} days." for i in range(30)]
        path = table(
            f"{planted} files/{planted}.csv", notes=notes, **{planted: [planted, "other"] * 15}
        )
        mine.cohorts.add(project.id, path, name=f"{planted} cohort", copy=True)
        card = {"name": planted, "task": {"labels": [planted]}}
        registry.add_adapter("adapter-00000a", project.id, None, planted, card)
        registry.add_prediction("adapter-00000a", planted, {}, {"prediction": planted})
        failed = registry.create_run(project.id, 1, "finetune", {"base": planted}, planted)
        registry.update_run(failed.id, status="failed", error=f"{planted}!", hint=planted)
        log = settings.folder(f"runs/{failed.id}") / "log.txt"
        base = settings.folder(f"bases/{planted}") / "card.json"
    base.write_text(json.dumps({"name": planted, "note": planted}))
    fault = (
        f"Traceback\n  File \"/home/{planted}/x.py\", line 3, in {planted}\nKeyError: '{planted}'\n"
    )
    log.write_text(f"{planted}\n{fault}2026-12-01 11:00:00,000 INFO {planted}: {planted}\n")
    (settings.folder(f"adapters/{planted}") / planted).write_text(planted)
    os.utime(home / "adapters" / planted, (0, 0))
    monkeypatch.setattr("fmstudio.studio.projects.Projects.list", lambda self, **_: {}[planted])
    assert main(["project", "list", "--home", str(home)]) == 1  # a fault of ours, with the name
    monkeypatch.undo()
    with (home / "logs" / "studio.log").open("a") as file:
        file.write(f"{fault}2026-12-01 11:00:00,000 WARNING {planted}: {planted}\n")

    assert main(["diagnose", str(tmp_path / "d.zip"), "--home", str(home)]) == 0

    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert [n for n, text in held.items() if planted.lower() in (n + text).lower()] == []
    assert str(tmp_path) not in "".join(held.values())
    assert "KeyError" in held["logs/studio-0.txt"]
    assert "KeyError" in held[f"logs/{failed.id}-log.txt"]
    registry = json.loads(held["registry.json"])
    assert registry["rows"] == {
        "projects": 1,
        "cohorts": 1,
        "runs": 1,
        "adapters": 1,
        "predictions": 1,
    }
    assert registry["runs"] == {"finetune, failed": 1}
    found = json.loads(held["doctor.json"])
    assert found["versions"]["studio"] == __version__
    assert [(f["about"], f["n"]) for f in found["findings"]] == [
        ("files without a row", 1),
        ("row without files", 1),
    ]


def test_a_damaged_registry_can_be_told_of_too(run, home, tmp_path):
    run("project", "create", "ill", "--task", "binary")
    (home / "registry.sqlite").write_bytes(b"no database" * 100)

    assert run("diagnose", tmp_path / "d.zip").status == 0
    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        found = json.loads(archive.read("doctor.json"))
        assert not found["database"]["sound"]
        assert json.loads(archive.read("registry.json"))["bytes"]["file"] == 1100
