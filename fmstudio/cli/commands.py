"""One function per command: the words in `args` to one verb, its answer as data and as text."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from fmstudio import contracts
from fmstudio.cli import answering, keys, plain, run_text, text
from fmstudio.cli.evaluation import comparison_text, judgement_text
from fmstudio.cli.progress import show_progress
from fmstudio.cohort.cells import is_path
from fmstudio.cohort.paths import Files, could_name, in_folder, is_bare, looks_like_path
from fmstudio.errors import InputError, NotFound
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.records import RunRecord
from fmstudio.results.json_form import as_json
from fmstudio.run_config import RunConfig
from fmstudio.studio import Studio
from fmstudio.types import Source

Answer = tuple[Any, str]  # for --json, and for people; a long list makes only what is asked for
OF_THE_TABLE = ("manifest", "fingerprint")  # known from the table itself


def demo(studio: Studio, args: argparse.Namespace) -> Answer:
    sample = studio.demo()
    return sample, text.sample_text(sample)


def project_create(studio: Studio, args: argparse.Namespace) -> Answer:
    project = studio.projects.create(
        args.name,
        args.task,
        args.label,
        args.positive,
        args.describe,
        moment=args.moment,
        positive_name=args.positive_name,
        negative_name=args.negative_name,
    )
    return project, f"Made the project '{project.name}'. Next: cohort add"


def project_list(studio: Studio, args: argparse.Namespace) -> Answer:
    projects = studio.projects.list(limit=args.limit, skip=args.skip)
    _say_rest(args, studio.projects.count())
    return projects, text.projects_text(projects)


def _say_rest(args: argparse.Namespace, total: int) -> None:
    """Say on standard error that a list goes on, and how to see more of it."""
    last = args.skip + args.limit
    if last < total:
        sys.stderr.write(f"remark: {last} of {total}, newest first; more with --skip {last}\n")


def project_show(studio: Studio, args: argparse.Namespace) -> Answer:
    project = studio.projects.get(args.name)
    cohort = studio.cohorts.newest(project.id)
    if not args.json:
        runs, adapters = studio.runs.summaries(project.id), studio.adapters.summaries(project.id)
        return None, text.project_text(project, cohort, runs, adapters)
    return {
        "project": project,
        "cohort": cohort,
        "runs": studio.runs.list(project.id),
        "adapters": studio.adapters.list(project.id),
    }, ""


def cohort_add(studio: Studio, args: argparse.Namespace) -> Answer:
    record = studio.cohorts.add(
        args.project, args.manifest, dict(args.role), args.name, args.copy, answering.answers(args)
    )
    return record, text.cohort_text(record)


def cohort_list(studio: Studio, args: argparse.Namespace) -> Answer:
    records = studio.cohorts.list(args.project)
    return records, text.cohorts_text(records)


def cohort_report(studio: Studio, args: argparse.Namespace) -> Answer:
    report = (
        studio.cohorts.report(args.project)
        if args.quick
        else studio.cohorts.check_labels(args.project)
    )
    return as_json(report), text.report_text(report)


def cohort_clean(studio: Studio, args: argparse.Namespace) -> Answer:
    if args.undo:
        record = studio.cohorts.undo_cleaning(args.project)
        return record, text.cohort_text(record, "Took again")
    if args.finding is None:
        raise InputError(
            "No finding was named.",
            hint="Name one of those that 'cohort report' lists, or give --undo.",
        )
    record = studio.cohorts.clean(args.project, args.finding, args.way, args.by)
    return record, text.cohort_text(record, "Mended")


def finetune(studio: Studio, args: argparse.Namespace) -> Answer:
    changes = {item.name: getattr(args, item.name) for item in fields(RunConfig)}
    changes["encoders"] = _encoders(args.encoders)
    if args.recipe is None:
        config = RunConfig.from_preset(changes.pop("preset") or RunConfig.preset, **changes)
    else:
        planned = studio.runs.plan_from_recipe(args.project, args.recipe, changes)
        config = planned.config
        sys.stderr.writelines(f"remark: {remark}\n" for remark in planned.remarks)
    if args.confirmed_by:
        studio.cohorts.confirm_identifiers(args.project, args.confirmed_by)
    run = studio.runs.start(args.project, config)
    return _answer_of(studio, run, args.detach)


def pretrain(studio: Studio, args: argparse.Namespace) -> Answer:
    if args.recipe is not None:
        return _base_from_recipe(studio, args)
    if args.project is None:
        raise InputError(
            "Neither a project nor a recipe was given.",
            hint="Name a project, or give --recipe FILE --data DIR --work DIR --out DIR.",
        )
    names = [item.name for item in fields(PretrainConfig) if item.name not in OF_THE_TABLE]
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    name = given.pop("name", None) or studio.pretraining.free_name(args.project)
    config = PretrainConfig(name=name, **given)
    if args.confirmed_by:
        studio.cohorts.confirm_identifiers(args.project, args.confirmed_by)
    run = studio.pretraining.start(args.project, config, args.manifest)
    return _answer_of(studio, run, args.detach)


def _base_from_recipe(studio: Studio, args: argparse.Namespace) -> Answer:
    for name in ("data", "work", "out"):
        if getattr(args, name) is None and not (name == "out" and args.stage):
            raise InputError(
                f"--{name} is missing.", hint="A recipe needs --data DIR --work DIR --out DIR."
            )

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    card = studio.pretraining.make_base(
        args.recipe, args.data, args.work, args.out or args.work, args.stage, args.teacher, say
    )
    if args.stage:
        return card, f"Stages that are done: {', '.join(card['stages'])}."
    return card, f"Wrote the base '{card['name']}' to {args.out}."


def _answer_of(studio: Studio, run: RunRecord, detach: bool) -> Answer:
    """The result of a run that was just started, or its id."""
    if detach:
        return {"run": run.id, "status": run.status}, run.id
    try:
        run = studio.runs.wait(run, show_progress(run_text.progress_line, _run_step))
    except KeyboardInterrupt:
        sys.stderr.write(f"\nThe run {run.id} goes on. Look at it with: run show {run.id}\n")
        raise
    finally:
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
    return run.result, run_text.result_text(run.result or {})


def _encoders(given: list[tuple[str, str]]) -> dict[str, str]:
    """{modality: id or folder}; a folder is named as seen from here. Raises InputError."""
    chosen: dict[str, str] = {}
    for modality, word in given:
        name = contracts.pipeline(modality.replace("-", "_")).name
        if name in chosen:
            raise InputError(
                f"Two encoders were given for {name}: {chosen[name]} and {word}.",
                hint="Give one for each modality.",
            )
        chosen[name] = word
    return chosen


def _run_step(run: RunRecord) -> tuple[str, float]:
    return run.progress.stage or run.status, run.progress.fraction


def run_list(studio: Studio, args: argparse.Namespace) -> Answer:
    part = {"limit": args.limit, "skip": args.skip}
    _say_rest(args, studio.runs.count(args.project))
    if args.json:
        return studio.runs.list(args.project, **part), ""
    return None, run_text.runs_text(studio.runs.summaries(args.project, **part))


def run_show(studio: Studio, args: argparse.Namespace) -> Answer:
    run = studio.runs.get(args.run_id)
    return run, run_text.run_text(run)


def run_recipe(studio: Studio, args: argparse.Namespace) -> Answer:
    recipe = studio.runs.recipe(args.run_id, args.file)
    said = recipe.as_text().rstrip() if args.file is None else f"Wrote {args.file}."
    return recipe.as_dict(), said


def run_stop(studio: Studio, args: argparse.Namespace) -> Answer:
    run = studio.runs.stop(args.run_id)
    return run, f"The run {run.id} stops after its next checkpoint."


def run_resume(studio: Studio, args: argparse.Namespace) -> Answer:
    run = studio.runs.resume(args.run_id)
    return run, f"The run {run.id} goes on. Look at it with: run show {run.id}"


def evaluate(studio: Studio, args: argparse.Namespace) -> Answer:
    if args.report is not None:
        if args.manifest is not None:
            raise InputError(
                "A report is written about an adapter's own held-out patients.",
                hint="Give --report or --manifest, not both.",
            )
        files = studio.evaluation.report(args.adapter, args.report)
        result = as_json(studio.evaluation.evaluate(args.adapter))
        return result, f"Wrote {files[0]} and {len(files) - 1} more files."
    result = studio.evaluation.evaluate(args.adapter, args.manifest)
    return as_json(result), judgement_text(result)


def predict(studio: Studio, args: argparse.Namespace) -> Answer:
    sources = _sources(args)
    if args.manifest is None and args.out is None:
        prediction = studio.predictions.predict(args.adapter, sources, args.case)
        task = studio.adapters.task(studio.adapters.get(args.adapter))
        return prediction.as_dict(), text.prediction_text(prediction, task)
    if sources or args.manifest is None or args.out is None:
        raise InputError(
            "A batch takes --manifest FILE and --out FILE.csv and no inputs of a single case.",
            hint="Give both of them alone, or the inputs of one case alone.",
        )
    rows = studio.predictions.predict_manifest(args.adapter, args.manifest, args.out)
    data = {"adapter": args.adapter, "rows": rows, "out": str(args.out)}
    return data, f"Wrote {rows} rows to {args.out}."


def _sources(args: argparse.Namespace) -> dict[str, list[Source]]:
    """What the options of one case give, by modality."""
    given: dict[str, list[Source]] = {}
    for name, modality in contracts.pipelines().items():
        words = getattr(args, f"input_{name}")
        sources = [source for word in words for source in _given(modality, word)]
        if modality.inline and modality.kind == "table":
            sources += [Source(column, text=value) for column, value in args.values]
        if sources:
            given[name] = sources
    return given


def _given(modality: contracts.Pipeline, word: str) -> list[Source]:
    """What one word of an option gives: the file that it names, the files of a folder, or text."""
    path = Path(word)
    names = could_name(word) and bool(path.name)
    places = Files(path.parent).matches(path.name) if names else []
    if modality.inline and modality.kind == "text":
        written = is_path(word, modality.suffixes) and not any(c.isspace() for c in word)
        is_file = path.is_file() if is_bare(word) else bool(places)
        if not is_file and not written and not looks_like_path(word):
            return [Source(modality.name, text=word)]
    if len(places) > 1:
        raise InputError(
            f"{path.name} can mean {' or '.join(places[:4])}.",
            hint="Write the name exactly as the file's own.",
        )
    found = path.parent / places[0] if places else path
    if found.is_dir():
        files, _ = in_folder(modality, found)
        if files:
            return [Source(modality.name, path=each) for each in files]
    if not found.is_file():
        raise NotFound(f"There is no file {path.name}.", hint="Check its name and folder.")
    return [Source(modality.name, path=found)]


def adapter_list(studio: Studio, args: argparse.Namespace) -> Answer:
    part = {"limit": args.limit, "skip": args.skip}
    _say_rest(args, studio.adapters.count(args.project))
    if args.json:
        return studio.adapters.list(args.project, **part), ""
    return None, text.adapters_text(studio.adapters.summaries(args.project, **part))


def adapter_show(studio: Studio, args: argparse.Namespace) -> Answer:
    adapter = studio.adapters.get(args.adapter)
    return adapter, plain.record_text(adapter)


def adapter_alias(studio: Studio, args: argparse.Namespace) -> Answer:
    adapter = studio.adapters.set_alias(args.adapter, args.alias)
    project = studio.projects.get(adapter.project_id)
    return adapter, f"{project.name}/{args.alias} is now {adapter.id}."


def adapter_renew(studio: Studio, args: argparse.Namespace) -> Answer:
    adapter = studio.adapters.renew(args.adapter)
    return adapter, f"{adapter.id} is sealed as this version of the studio seals adapters."


def adapter_compare(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.evaluation.compare([args.first, args.second])
    return found, comparison_text(found)


def export(studio: Studio, args: argparse.Namespace) -> Answer:
    path = studio.adapters.export(args.adapter, args.file, args.sign_as)
    key = studio.keys.own()
    data = {"adapter": args.adapter, "file": str(path), "signed_with": key and key.fingerprint}
    return data, f"Wrote {path}." + (f" Signed by {key.name}." if key else "")


def verify(studio: Studio, args: argparse.Namespace) -> Answer:
    facts = studio.adapters.verify(args.file)
    told = f"{args.file.name} is whole, and its stored cases replay."
    return facts, f"{told} {keys.signer_text(facts['signer'])}"


def import_bundle(studio: Studio, args: argparse.Namespace) -> Answer:
    adapter = studio.adapters.import_bundle(args.file, args.project)
    project = studio.projects.get(adapter.project_id)
    data = {"adapter": adapter.id, "project": project.name, "aliases": adapter.aliases}
    return data, f"Imported {adapter.id} into the project '{project.name}'."


def audit(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.audit()
    return found, text.audit_text(found)
