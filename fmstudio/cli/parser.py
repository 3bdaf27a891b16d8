"""The words of the command line: every command and its options, by the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fmstudio.cli import answering, bases, commands, deleting, keeping, keys
from fmstudio.cli.parser_runs import add_finetune, add_pretrain, add_run
from fmstudio.cli.subcommands import (
    ADAPTER_HELP,
    COHORT_HELP,
    PROGRAM,
    Parser,
    add_command,
    add_paging,
    add_shared,
    command_group,
)
from fmstudio.cli.values import role_of, value_of
from fmstudio.contracts import KINDS, Asking, Pipeline
from fmstudio.types import TASK_KINDS, Question


def build_parser(modalities: Sequence[Pipeline] = (), with_serve: bool = True) -> Parser:
    """The whole command line; `modalities` give `predict` its options."""
    parser = Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Fine-tune, evaluate and use multimodal clinical models on your own machine.",
        epilog="For research and teaching. Not a medical device.",
    )
    add_shared(parser, None)
    commands_of = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if with_serve:
        _add_serve(commands_of)
    _add_keeping(commands_of)
    add_command(commands_of, "demo", commands.demo, "make the sample project, cohort and adapter")
    _add_project(commands_of)
    asking = [modality for modality in modalities if isinstance(modality, Asking)]
    _add_cohort(commands_of, [question for one in asking for question in one.questions])
    _add_base(commands_of)
    add_finetune(commands_of)
    add_pretrain(commands_of)
    add_run(commands_of)
    _add_use(commands_of, modalities)
    _add_adapter(commands_of)
    _add_key(commands_of)
    add_command(commands_of, "audit", commands.audit, "show the event log and check its chain")
    return parser


def _add_serve(commands_of: Any) -> None:
    serve = add_command(commands_of, "serve", "serve", "open the studio in a browser")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; one that others can reach needs a password",
    )
    serve.add_argument("--port", type=int, default=7860, help="port to listen on")
    serve.add_argument("--no-browser", action="store_true", help="do not open a browser")
    serve.add_argument(
        "--password-file",
        metavar="FILE",
        help="ask for the password in the first line of FILE (or set FMSTUDIO_PASSWORD)",
    )
    serve.add_argument(
        "--host-name",
        metavar="NAME",
        action="append",
        default=[],
        help="a name by which browsers reach this machine; again for each",
    )
    serve.add_argument(
        "--https", action="store_true", help="a proxy in front speaks TLS with the browsers"
    )


def _add_keeping(commands_of: Any) -> None:
    add_command(
        commands_of, "doctor", keeping.doctor, "check this installation and the home folder"
    )
    backup = add_command(commands_of, "backup", keeping.backup, "write all that is kept to a ZIP")
    backup.add_argument("file", metavar="FILE.zip", type=Path)
    restore = add_command(commands_of, "restore", keeping.restore, "put a backup in place")
    restore.add_argument("file", metavar="FILE.zip", type=Path)
    restore.add_argument(
        "--replace",
        action="store_true",
        help="even if the home folder holds work, which is kept beside the new one",
    )

    diagnose = add_command(
        commands_of,
        "diagnose",
        keeping.diagnose,
        "write a ZIP for whoever is to help, without names and patients",
    )
    diagnose.add_argument("file", metavar="FILE.zip", type=Path)


def _add_project(commands_of: Any) -> None:
    group = command_group(commands_of, "project", "questions, each with its cohorts and adapters")
    create = add_command(group, "create", commands.project_create, "make a project")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--task", required=True, choices=TASK_KINDS)
    create.add_argument(
        "--label",
        metavar="COLUMN",
        action="append",
        help="the manifest's label column; several times for multilabel",
    )
    create.add_argument("--positive", metavar="VALUE", help="the label value that counts as yes")
    create.add_argument(
        "--positive-name",
        metavar="TEXT",
        default="",
        help="what the positive outcome is called in answers, such as 'Deterioration within 48 h'",
    )
    create.add_argument(
        "--negative-name", metavar="TEXT", default="", help="what the other outcome is called"
    )
    create.add_argument("--describe", metavar="TEXT", default="", help="what is to be predicted")
    create.add_argument(
        "--moment",
        metavar="HOURS",
        type=float,
        help="when the prediction is made, after a case's beginning: what is later is left out",
    )
    add_paging(add_command(group, "list", commands.project_list, "list the projects"))
    show = add_command(group, "show", commands.project_show, "show a project")
    show.add_argument("name", metavar="NAME")
    delete = add_command(group, "delete", deleting.project, "delete a project and its files")
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--yes", action="store_true", help="really delete it")


def _add_cohort(commands_of: Any, questions: Sequence[Question]) -> None:
    group = command_group(commands_of, "cohort", "tables of cases")
    add = add_command(group, "add", commands.cohort_add, "read, check and register a manifest")
    add.add_argument("project", metavar="PROJECT")
    add.add_argument("manifest", metavar="MANIFEST", type=Path, help="CSV, TSV, XLSX or Parquet")
    add.add_argument(
        "--role",
        metavar="COLUMN=ROLE",
        action="append",
        default=[],
        type=role_of,
        help="what a column is, where the proposal is wrong; may be repeated",
    )
    add.add_argument("--name", metavar="NAME", help="what to call the cohort")
    add.add_argument(
        "--copy",
        action="store_true",
        help="keep a copy of the table's folder, without what its files' headers say of patients",
    )
    answering.add_options(add, questions)
    listing = add_command(group, "list", commands.cohort_list, "list the cohorts of a project")
    listing.add_argument("project", metavar="PROJECT")
    delete = add_command(group, "delete", deleting.cohort, "delete a cohort and its files")
    delete.add_argument("cohort", metavar="COHORT", help=COHORT_HELP)
    delete.add_argument("--yes", action="store_true", help="really delete it")
    answer = add_command(
        group, "answer", answering.answer, "say once what the files of a cohort leave open"
    )
    answer.add_argument("project", metavar="PROJECT")
    answering.add_options(answer, questions)
    answer.add_argument("--by", metavar="NAME", help="who says so (default: your account's name)")
    remove = add_command(
        group, "remove-patient", deleting.patient, "remove a patient from a cohort"
    )
    remove.add_argument("cohort", metavar="COHORT", help=COHORT_HELP)
    remove.add_argument("patient", metavar="PATIENT", help="as the cohort's table names it")
    remove.add_argument("--yes", action="store_true", help="really remove it")
    report = add_command(group, "report", commands.cohort_report, "report on the newest cohort")
    report.add_argument("project", metavar="PROJECT")
    report.add_argument(
        "--quick",
        action="store_true",
        help="without asking the frozen base which labels may be wrong",
    )
    mend = add_command(group, "clean", commands.cohort_clean, "resolve a finding of the report")
    mend.add_argument("project", metavar="PROJECT")
    mend.add_argument(
        "finding",
        metavar="FINDING",
        nargs="?",
        help="its number in the report, or its kind if it is alone",
    )
    mend.add_argument(
        "--undo", action="store_true", help="take the cohort before the last cleaning again"
    )
    mend.add_argument(
        "--way", metavar="N", type=int, help="which of the ways that the report lists (default: 1)"
    )
    mend.add_argument(
        "--by", metavar="NAME", help="who accepts what was found (default: your account's name)"
    )


def _add_base(commands_of: Any) -> None:
    group = command_group(commands_of, "base", "pretrained models that adapters are made with")
    add_command(group, "list", bases.base_list, "list the bases and the added encoders")
    show = add_command(group, "show", bases.base_show, "show a base or an encoder")
    show.add_argument("name", metavar="NAME")
    add = add_command(group, "add", bases.base_add, "check a published checkpoint, then add it")
    add.add_argument(
        "source",
        metavar="ID_OR_FOLDER",
        help="its id on the model hub (needs the internet), or a folder with its files",
    )
    add.add_argument(
        "--kind", choices=KINDS, help="what it should read (default: what it was made for)"
    )
    add.add_argument("--name", metavar="NAME", help="what to call it (default: end of its id)")
    add.add_argument("--revision", metavar="REVISION", help="of the hub (default: the newest)")
    add.add_argument("--check", action="store_true", help="only say whether it can be added")
    remove = add_command(group, "remove", bases.base_remove, "remove an added encoder")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="really remove it")


def _add_use(commands_of: Any, modalities: Sequence[Pipeline]) -> None:
    evaluate = add_command(
        commands_of,
        "evaluate",
        commands.evaluate,
        "evaluate an adapter on its held-out patients or on another labelled manifest",
    )
    evaluate.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    evaluate.add_argument("--manifest", metavar="FILE", type=Path)
    evaluate.add_argument(
        "--report",
        metavar="DIR",
        type=Path,
        help="also write a report there: HTML, PDF, JSON, figures",
    )
    predict = add_command(
        commands_of, "predict", commands.predict, "predict one case or a manifest"
    )
    predict.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    for modality in modalities:
        text = modality.inline and modality.kind == "text"
        predict.add_argument(
            "--" + modality.name.replace("_", "-"),
            dest=f"input_{modality.name}",
            nargs="+",
            default=[],
            metavar="FILE_OR_TEXT" if text else "FILE",
            help=f"{modality.label}: {', '.join(modality.suffixes)}",
        )
    predict.add_argument(
        "--set",
        metavar="COLUMN=VALUE",
        action="append",
        default=[],
        type=value_of,
        dest="values",
        help="one value of the patient's table; may be repeated",
    )
    predict.add_argument("--case", metavar="ID", default="case", help="what to call the case")
    predict.add_argument("--manifest", metavar="FILE", type=Path, help="predict all its cases")
    predict.add_argument("--out", metavar="FILE.csv", type=Path, help="where their answers go")


def _add_adapter(commands_of: Any) -> None:
    group = command_group(commands_of, "adapter", "fine-tuned adapters")
    listing = add_command(group, "list", commands.adapter_list, "list the adapters")
    listing.add_argument("project", metavar="PROJECT", nargs="?")
    add_paging(listing)
    show = add_command(group, "show", commands.adapter_show, "show an adapter's card")
    show.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    alias = add_command(group, "alias", commands.adapter_alias, "give an adapter an alias")
    alias.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    alias.add_argument("alias", metavar="NAME", help="such as champion or candidate")
    delete = add_command(group, "delete", deleting.adapter, "delete an adapter and its files")
    delete.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    delete.add_argument("--yes", action="store_true", help="really delete it")
    renew = add_command(
        group,
        "renew",
        commands.adapter_renew,
        "seal an adapter of an earlier version as this one does",
    )
    renew.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    compare = add_command(
        group,
        "compare",
        commands.adapter_compare,
        "compare two adapters on the same held-out patients",
    )
    compare.add_argument("first", metavar="A", help=ADAPTER_HELP)
    compare.add_argument("second", metavar="B", help=ADAPTER_HELP)
    export = add_command(commands_of, "export", commands.export, "write an adapter as a bundle")
    export.add_argument("adapter", metavar="ADAPTER", help=ADAPTER_HELP)
    export.add_argument("file", metavar="FILE.zip", type=Path)
    export.add_argument("--sign-as", metavar="NAME", help="sign it; makes a key if there is none")
    verify = add_command(
        commands_of, "verify", commands.verify, "check a bundle without importing it"
    )
    verify.add_argument("file", metavar="FILE.zip", type=Path)
    take = add_command(commands_of, "import", commands.import_bundle, "take a bundle in")
    take.add_argument("file", metavar="FILE.zip", type=Path)
    take.add_argument("--project", metavar="NAME", help="where it goes (default: as in its card)")


def _add_key(commands_of: Any) -> None:
    group = command_group(commands_of, "key", "keys that sign bundles")
    make = add_command(group, "make", keys.make, "make this studio's key")
    make.add_argument("--name", metavar="NAME", required=True, help="who signs")
    show = add_command(group, "show", keys.show, "show this studio's key")
    show.add_argument(
        "file",
        metavar="FILE.pem",
        type=Path,
        nargs="?",
        help="write the public key there, to give away",
    )
    add_command(group, "list", keys.listing, "list the keys that you trust")
    trust = add_command(group, "trust", keys.trust, "trust a colleague's key")
    trust.add_argument("key", metavar="FILE_OR_FINGERPRINT")
    trust.add_argument("--name", metavar="NAME", required=True, help="whose it is")
    distrust = add_command(group, "distrust", keys.distrust, "trust a key no longer")
    distrust.add_argument("key", metavar="FINGERPRINT")
