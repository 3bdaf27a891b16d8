"""The commands on the whole home: backup, restore, doctor."""

import json

from fmstudio.__main__ import main
from fmstudio.studio import Studio
from fmstudio.studio.manifests import load


def test_a_home_goes_into_a_file_and_comes_back_elsewhere(
    run, studio, table, home, tmp_path, capsys
):
    studio.create_project("ill", "binary")
    studio.add_cohort("ill", table(), copy=True)
    archive = tmp_path / "a.zip"

    told = json.loads(run("backup", archive, "--json").out)
    assert told["rows"]["cohorts"] == 1
    assert run("backup", archive).error == "'a.zip' is there already."
    assert run("restore", archive).error == "The home folder 'home' holds work."

    assert main(["restore", str(archive), "--home", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.startswith("Restored 1 projects, 1 cohorts")
    home.rename(tmp_path / "gone")
    with Studio.open(tmp_path / "new") as new:
        project = new.project("ill")
        (cohort,) = new.registry.cohorts(project.id)
        assert len(load(new.settings, project, cohort).cases) == 30  # its fingerprint is compared


def test_the_doctor_names_what_is_wrong_in_the_home_and_what_to_do(run, studio, home):
    project = studio.create_project("ill", "binary")
    assert json.loads(run("doctor", "--json").out)["findings"] == []
    studio.registry.add_adapter("adapter-00000a", project.id, None, "ill", {})

    (finding,) = json.loads(run("doctor", "--json").out)["findings"]

    assert (finding["about"], finding["lost"]) == ("row without files", True)
    assert "import its bundle again" in finding["do"]
    assert f"  {finding['what']} {finding['do']}" in run("doctor").out.splitlines()
