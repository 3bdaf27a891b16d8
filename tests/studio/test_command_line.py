"""The command line: the contract's commands, exit status, and what goes to which stream."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fmstudio import contracts
from fmstudio.__main__ import main
from fmstudio.cli.parser import build_parser
from fmstudio.errors import InputError
from fmstudio.records import Progress

ROOT = Path(__file__).resolve().parents[2]

CONTRACT = [
    "serve --host 127.0.0.1 --port 7860 --no-browser",
    "doctor",
    "backup FILE.zip",
    "restore FILE.zip --replace",
    "diagnose FILE.zip",
    "demo",
    "project create NAME --task binary --label COLUMN --positive VALUE --describe TEXT",
    "project create NAME --task multilabel --label A --label B --moment 48",
    "project list --limit 20 --skip 40",
    "project show NAME",
    "project delete NAME --yes",
    "cohort add PROJECT MANIFEST --role COLUMN=ROLE --role OTHER=ROLE --name NAME",
    "cohort report PROJECT",
    "cohort report PROJECT --quick",
    "cohort clean PROJECT FINDING --way 2",
    "base list",
    "base show NAME",
    "base add ID_OR_FOLDER --kind frames --name NAME --revision REVISION --check",
    "base remove NAME --yes",
    "finetune PROJECT --base NAME --modalities a,b --preset thorough --rank 4 --epochs 3 --seed 1 "
    "--wait",
    "finetune PROJECT --detach",
    "run list PROJECT --limit 20",
    "run show RUN",
    "run stop RUN",
    "run resume RUN",
    "evaluate ADAPTER --manifest FILE",
    "evaluate ADAPTER --report DIR",
    "predict ADAPTER --radiology a b --ehr FILE --notes TEXT --device-logs a b --audio a --video a "
    "--set COLUMN=VALUE --set OTHER=VALUE",
    "predict ADAPTER --manifest FILE --out FILE.csv",
    "adapter list PROJECT",
    "adapter list",
    "adapter show ADAPTER",
    "adapter alias ADAPTER NAME",
    "adapter compare A B",
    "export ADAPTER FILE.zip",
    "verify FILE.zip",
    "import FILE.zip --project NAME",
    "audit",
]


def parser():
    return build_parser(tuple(contracts.pipelines().values()))


@pytest.mark.parametrize("words", CONTRACT)
def test_every_command_takes_its_words_with_the_shared_options_before_or_after(words):
    first = parser().parse_args(["--home", "D", "--json", *words.split()])
    last = parser().parse_args([*words.split(), "--home", "D", "--json", "--debug"])
    assert (first.home, first.json, first.debug) == ("D", True, False)
    assert (last.home, last.json, last.debug) == ("D", True, True)
    assert callable(first.run) or first.run in ("serve", "doctor")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "nonsense",
        "project",
        "project make X",
        "project create X",
        "project create X --task guess",
        "finetune X --rank many",
        "finetune X --wait --detach",
        "cohort add X m.csv --role film",
        "project list --hom D",
        "predict A --set age",
        "serve --port high",
    ],
)
def test_words_that_make_no_command_are_an_error_with_a_hint(run, words):
    said = run(*words.split())
    assert (said.status, said.out) == (2, "")
    assert said.error


def test_an_unknown_thing_is_named_with_a_way_forward(run):
    for words in (
        ["project", "show", "lungs"],
        ["cohort", "report", "lungs"],
        ["finetune", "lungs"],
        ["adapter", "list", "lungs"],
    ):
        said = run(*words)
        assert (said.status, said.out) == (2, "")
        assert "lungs" in said.error
    assert "run-1" in run("run", "show", "run-1").error
    assert "'lungs'" in run("predict", "lungs/best", "--notes", "text of a note").error
    assert "nosuch" in run("base", "show", "nosuch").error


def test_a_project_goes_from_its_making_to_its_end(run, table):
    assert run("project", "create", "ill", "--task", "binary", "--describe", "Ill?").status == 0
    said = run("cohort", "add", "ill", table(), "--role", "age=group,ehr", "--name", "first")
    assert (said.status, said.err) == (0, "")
    assert "30 cases of 30 patients" in said.out
    assert "first" in run("project", "show", "ill").out
    assert "ill" in run("project", "list").out
    refused = run("project", "delete", "ill")
    assert (refused.status, "not deleted" in refused.error) == (2, True)
    assert run("project", "delete", "ill", "--yes").status == 0
    assert run("project", "list").out.strip() == "None yet."
    assert "chain is whole" in run("audit").out


def test_a_long_list_says_how_much_of_it_is_shown_and_how_to_go_on(run, studio):
    for number in range(5):
        studio.projects.create(f"P{number}", "binary")

    said = run("project", "list", "--limit", "2", "--skip", "1", "--json")

    assert [project["name"] for project in json.loads(said.out)] == ["P3", "P2"]
    assert said.err == "remark: 3 of 5, newest first; more with --skip 3\n"
    assert run("project", "list", "--skip", "3").err == ""


def test_json_is_one_document_on_standard_output(run, table):
    run("project", "create", "ill", "--task", "binary")
    added = json.loads(run("cohort", "add", "ill", table(), "--json").out)
    report = json.loads(run("--json", "cohort", "report", "ill", "--quick").out)
    assert added["summary"] == report
    assert {"cases", "patients", "modalities", "labels", "splits", "findings"} <= report.keys()
    assert report["labels"] == {"0": 20, "1": 10}
    for finding in report["findings"]:
        assert {"kind", "severity", "columns", "rows", "message", "fix"} <= finding.keys()
    for words in (
        "project list",
        "project show ill",
        "base list",
        "run list",
        "adapter list",
        "audit",
        "base show random",
    ):
        said = run(*words.split(), "--json")
        assert (said.status, said.err) == (0, "")
        json.loads(said.out)


def test_what_libraries_print_does_not_spoil_the_document(run, monkeypatch):
    def chatty(self, **_):
        sys.stdout.write("loading…\n")
        return []

    monkeypatch.setattr("fmstudio.studio.projects.Projects.list", chatty)
    said = run("project", "list", "--json")
    assert (json.loads(said.out), said.err) == ([], "loading…\n")


def test_a_fault_of_ours_is_one_line_and_its_traceback_is_in_the_log(run, monkeypatch, home):
    def broken(self, **_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("fmstudio.studio.projects.Projects.list", broken)
    said = run("project", "list")
    assert (said.status, said.out) == (1, "")
    (line,) = said.err.splitlines()
    assert line.startswith("Sorry")
    assert "studio.log" in line
    assert "ZeroDivisionError" in (home / "logs" / "studio.log").read_text()
    assert "Traceback" in run("project", "list", "--debug").err


def test_a_mistake_shows_no_traceback_unless_asked(run):
    assert "Traceback" not in run("project", "show", "x").err
    assert "Traceback" in run("project", "show", "x", "--debug").err


def test_a_message_is_one_line_whatever_is_in_it(run, monkeypatch):
    def refuse(self, **_):
        raise InputError("The file 'a\nb' is\r\nnot there.", hint="Look\nelsewhere.")

    monkeypatch.setattr("fmstudio.studio.projects.Projects.list", refuse)
    assert run("project", "list").error == "The file 'a b' is not there."


def test_the_settings_of_a_run_come_from_the_preset_and_the_options(run, monkeypatch):
    asked = []

    def start(self, project, config):
        asked.append(config)
        raise InputError("Enough.", hint="-")

    monkeypatch.setattr("fmstudio.studio.runs.Runs.start", start)
    run(
        "finetune",
        "ill",
        "--preset",
        "balanced",
        "--rank",
        3,
        "--modalities",
        "ehr, notes",
        "--no-balance",
        "--balance-by",
        "sex",
    )
    (config,) = asked
    assert (config.preset, config.epochs, config.rank) == ("balanced", 40, 3)
    assert (config.modalities, config.balance) == (("ehr", "notes"), False)
    assert config.balance_by == "sex"
    said = run("finetune", "ill", "--rank", 0)
    assert (said.status, said.error) == (2, "LoRA rank is 0.")


def test_ctrl_c_ends_the_waiting_and_not_the_run(run, studio, table, monkeypatch):
    studio.projects.create("ill", "binary")
    cohort = studio.cohorts.add("ill", table())
    waiting = studio.registry.create_run(
        studio.projects.get("ill").id, cohort.id, "finetune", {}, "embedded"
    )
    monkeypatch.setattr("fmstudio.studio.runs.Runs.start", lambda *_: waiting)

    def interrupted(self, run, watch):
        watch(waiting)
        raise KeyboardInterrupt

    monkeypatch.setattr("fmstudio.studio.runs.Runs.wait", interrupted)
    said = run("finetune", "ill")
    assert said.status == 130
    assert f"The run {waiting.id} goes on." in said.err
    assert "Traceback" not in said.err
    detached = run("finetune", "ill", "--detach", "--json")
    assert json.loads(detached.out) == {"run": waiting.id, "status": "waiting"}


def test_progress_goes_to_standard_error_now_and_then(run, studio, table, monkeypatch):
    from dataclasses import replace

    studio.projects.create("ill", "binary")
    cohort = studio.cohorts.add("ill", table())
    one = studio.registry.create_run(
        studio.projects.get("ill").id, cohort.id, "finetune", {}, "embedded"
    )
    done = replace(one, status="finished", result={"run": one.id, "metrics": {}})
    monkeypatch.setattr("fmstudio.studio.runs.Runs.start", lambda *_: one)

    def wait(self, run, watch):
        for percent in range(100):
            watch(replace(one, progress=Progress("Fine-tuning", percent / 100)))
        return done

    monkeypatch.setattr("fmstudio.studio.runs.Runs.wait", wait)
    said = run("finetune", "ill", "--json")
    assert json.loads(said.out) == done.result
    assert len(said.err.splitlines()) == 10


def test_predict_takes_files_values_and_text(run, adapter, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(
        "fmstudio.studio.predictions.Predictions.predict",
        lambda self, ref, sources, case: seen.update(sources) or 1 / 0,
    )
    (tmp_path / "a.dcm").write_bytes(b"")
    (tmp_path / "b.dcm").write_bytes(b"")
    (tmp_path / "note.txt").write_text("hello")
    run(
        "predict",
        adapter.id,
        "--radiology",
        tmp_path / "a.dcm",
        tmp_path / "b.dcm",
        "--notes",
        "No fever. See note.txt",
        tmp_path / "note.txt",
        "--set",
        "age=63",
        "--set",
        "bp=a=b",
    )
    assert [source.path.name for source in seen["radiology"]] == ["a.dcm", "b.dcm"]
    assert [s.text or s.path.name for s in seen["notes"]] == ["No fever. See note.txt", "note.txt"]
    assert [(s.name, s.text) for s in seen["ehr"]] == [("age", "63"), ("bp", "a=b")]
    assert "missing.wav" in run("predict", adapter.id, "--audio", tmp_path / "missing.wav").error
    assert "missing.txt" in run("predict", adapter.id, "--notes", "missing.txt").error


def test_a_batch_and_a_single_case_are_not_mixed(run, adapter, table, tmp_path):
    for words in (
        ["--manifest", table()],
        ["--out", "x.csv"],
        ["--manifest", table(), "--out", "x.csv", "--set", "age=3"],
    ):
        assert "batch" in run("predict", adapter.id, *words).error
    out = tmp_path / "out.csv"
    said = run("predict", adapter.id, "--manifest", table(), "--out", out, "--json")
    assert json.loads(said.out)["rows"] == 30
    assert out.read_text().startswith("case_id,prediction,")


def test_aliases_and_exports_are_answered(run, adapter, tmp_path):
    assert "ill/best" in run("adapter", "alias", adapter.id, "best").out
    assert adapter.id in run("adapter", "show", "ill/best").out
    assert "does not end in .zip" in run("export", adapter.id, tmp_path / "a.tar").error
    assert "'nowhere'" in run("export", adapter.id, tmp_path / "nowhere" / "a.zip").error
    assert "none.zip" in run("verify", tmp_path / "none.zip").error
    assert "none.zip" in run("import", tmp_path / "none.zip").error


def test_a_port_in_use_and_an_address_beyond_this_machine_are_refused_at_once(run, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("serve", "--port", port, "--no-browser")
    assert (said.status, str(port) in said.error) == (2, True)
    for host in ("0.0.0.0", "192.168.1.7", "studio.example"):
        assert "no log-in" in run("serve", "--host", host, "--no-browser").error
    assert not (home / "registry.sqlite").exists()


def test_a_light_command_loads_nothing_heavy(home):
    check = (
        "import sys; from fmstudio.__main__ import main; "
        f"status = main(['project', 'list', '--home', {str(home)!r}]); "
        "heavy = {'torch', 'transformers', 'peft', 'gradio', 'pandas', 'sklearn'}; "
        "sys.exit(f'{heavy & set(sys.modules)}' if heavy & set(sys.modules) else status)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_line_runs_as_a_module_and_ends_quietly_when_nobody_reads(home):
    environment = os.environ | {"FMSTUDIO_HOME": str(home)}
    module = [sys.executable, "-m", "fmstudio"]
    done = subprocess.run(
        [*module, "project", "show", "x"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "error: There is no project 'x'."
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        gone = subprocess.run(
            [*module, "base", "list"],
            cwd=ROOT,
            env=environment,
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert gone.stderr == ""


def test_help_of_every_command_is_shown(capsys):
    for words in CONTRACT:
        name = [word for word in words.split() if word.islower() and not word.startswith("-")][:2]
        command = name if name[0] in ("project", "cohort", "base", "run", "adapter") else name[:1]
        with pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        assert ended.value.code == 0
        assert "usage" in capsys.readouterr().out
