"""A suite as it was written: every name and key checked, every word as the commands take it; nothing is opened yet."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import is_safe_name, safe_name
from edgebench.suite.document import Table, read_document
from edgebench.suite.errors import Place, nearest
from edgebench.suite.options import Options, Setting, Words, locate
from edgebench.training.bases import parse_base

TABLES = ("suite", "models", "convert", "profile", "train", "include", "exclude", "schedule", "report")
ABOUT = ("name", "out", "seed")
SCHEDULE = ("scheduler", "jobs")
AXES = ("model", "variant", "device")
MODEL, TRAIN, BASE = "model", "train", "base"
SCHEMES = ("keras:", "hf:", "cnn:")


@dataclass(frozen=True)
class Model:
    """One MODEL of `convert` with its words; `trained` names the [train] table whose models it stands for."""

    text: str
    words: Words
    place: Place
    trained: str = ""


@dataclass(frozen=True)
class Training:
    """One run of `edgebench train`."""

    table: str
    name: str
    words: Words
    place: Place


@dataclass(frozen=True)
class Scenario:
    """One way to measure: words of `edgebench profile`, and what tells it from the others."""

    words: Words
    label: str
    place: Place


@dataclass(frozen=True)
class Filter:
    """Globs that all must match; `include` keeps what matches, otherwise it goes."""

    include: bool
    globs: tuple[tuple[str, tuple[str, ...]], ...]
    place: Place

    def matches(self, model: str, variant: str, device: str) -> bool:
        """Whether a cell is meant; without a device (nothing is measured) its glob says nothing."""
        values = {"model": model, "variant": variant, "device": device}
        return all(not values[axis] or any(fnmatchcase(values[axis], p) for p in ps) for axis, ps in self.globs)


@dataclass(frozen=True)
class Suite:
    """A whole suite file."""

    file: Path
    name: str
    out: Path
    models: tuple[Model, ...]
    trainings: tuple[Training, ...]
    scenarios: tuple[Scenario, ...]
    filters: tuple[Filter, ...]
    report: Words
    scheduler: str = ""
    jobs: int = 0  # conversions side by side; 0: as many as this machine bears


def read_suite(path: Path, commands: Mapping[str, Options]) -> Suite:
    """Read a suite file against the options of `convert`, `profile`, `train` and `report`.

    Raises SuiteError, whose message begins with file and line, for the first thing that is wrong.
    """
    root = read_document(path)
    root.refuse_unknown(TABLES)
    about = root.inner("suite") or Table("suite", {}, path, ("suite",), root.lines)
    about.refuse_unknown(ABOUT)
    name = about.text("name", safe_name(path.stem))
    if not is_safe_name(name):
        raise about.error(f"{name!r} is no file name: use letters, digits, '.', '_' and '-'", "name")
    folder = path.parent
    seeded = (f"--seed={about.whole_number('seed', 0)}",) if "seed" in about.values else ()
    trainings = tuple(_trainings(root, commands["train"], folder, seeded))
    schedule = root.inner("schedule") or Table("schedule", {}, path, ("schedule",), root.lines)
    schedule.refuse_unknown(SCHEDULE)
    report = root.inner("report")
    if report is not None:
        commands["report"].refuse_unknown(report)
    return Suite(
        file=path,
        name=name,
        out=Path(locate(about.text("out", "edgebench-out"), folder)),
        models=tuple(_models(root, commands["convert"], folder, seeded, trainings)),
        trainings=trainings,
        scenarios=tuple(_scenarios(root, commands["profile"], folder, seeded)),
        filters=(*_filters(root, "include"), *_filters(root, "exclude")),
        report=commands["report"].setting(report, folder).words if report else (),
        scheduler=checked_scheduler(schedule),
        jobs=schedule.whole_number("jobs", 0),
    )


def checked_scheduler(table: Table) -> str:
    """Return the address of a scheduler, empty where there is none."""
    text = table.text("scheduler", "") if "scheduler" in table.values else ""
    try:
        return check_address(text) if text else ""
    except EdgebenchError as error:
        raise table.error(str(error), "scheduler") from error


def check_address(text: str) -> str:
    """Return the address of a scheduler. Raises UsageError where it is none."""
    scheme, _, rest = text.partition("://")
    if scheme not in ("tcp", "tls") or not rest.rpartition(":")[2].isdecimal():
        raise UsageError(f"scheduler {text!r} is no address such as tcp://HOST:8786")
    return text


def _models(root: Table, options: Options, folder: Path, seeded: Words, trainings: tuple[Training, ...]) -> list[Model]:
    common = root.inner("convert")
    shared: dict[str, Words] = {}
    if common is not None:
        options.refuse_unknown(common)
        if "name" in common.values:
            raise common.error("is of one model: write it in its [[models]]", "name")
        shared = options.by_key(common, folder)
    found: list[Model] = []
    for table in root.several("models"):
        options.refuse_unknown(table, (MODEL, TRAIN))
        own = {**shared, **options.by_key(table, folder, skip=(MODEL, TRAIN))}
        words = (*seeded, *(word for words in own.values() for word in words))
        if (MODEL in table.values) == (TRAIN in table.values):
            raise table.error(f"each has one of `{MODEL}` and `{TRAIN}`")
        if TRAIN in table.values:
            found.append(_trained(table, words, trainings))
            continue
        value = table.values[MODEL]
        for one in value if isinstance(value, list) else [value]:
            found += _given(table, one, words, folder)
    if not found:
        raise root.error('there is no model: write [[models]] with model = "..."', "models")
    return found


def _trained(table: Table, words: Words, trainings: tuple[Training, ...]) -> Model:
    name = table.text(TRAIN, "")
    known = {training.table for training in trainings}
    if name not in known:
        near = nearest(name, known) if known else "there is no [train.NAME] table"
        raise table.error(f"there is no [train.{name}]: {near}", TRAIN)
    if "name" in table.values and sum(training.table == name for training in trainings) > 1:
        raise table.error(f"[train.{name}] makes several models: leave it out", "name")
    return Model("", words, table.place(), name)


def _given(table: Table, value: object, words: Words, folder: Path) -> list[Model]:
    """Return the models that a text means: one, or those that its glob finds."""
    if not isinstance(value, str) or not value.strip():
        raise table.error(f"{value!r} is no model", MODEL)
    if value.startswith(SCHEMES):
        return [Model(value, words, table.place(MODEL))]
    path = locate(value, folder)
    if Path(path).exists() or not glob.has_magic(value):
        near = not Path(path).exists() and ":" in value  # what another package may take
        return [Model(value if near else path, words, table.place(MODEL))]
    found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 (an absolute pattern)
    if not found:
        raise table.error(f"nothing matches {value!r} in {folder.absolute()}", MODEL)
    if "name" in table.values and len(found) > 1:
        raise table.error(f"{value!r} are {len(found)} models: leave the name out", "name")
    return [Model(one, words, table.place(MODEL)) for one in found]


def _trainings(root: Table, options: Options, folder: Path, seeded: Words) -> list[Training]:
    outer = root.inner(TRAIN)
    found: list[Training] = []
    for key in outer.values if outer else ():
        assert outer is not None
        table = outer.inner(key)
        assert table is not None
        options.refuse_unknown(table, (BASE,))
        if "data" not in table.values:
            raise table.error('has no images: data = "photos"')
        settings = options.product(table, folder, skip=(BASE, "name"))
        bases = _bases(table, folder)
        for base in bases:
            for setting in settings:
                name = _training_name(table, key, base if len(bases) > 1 else "", setting, len(settings) * len(bases))
                if any(name == other.name for other in found):
                    raise table.error(f"two trainings would be called {name}: give one table a name", "name")
                words = (*seeded, *setting.words, f"--name={name}", "--", base)
                found.append(Training(key, name, words, table.place()))
    return found


def _bases(table: Table, folder: Path) -> list[str]:
    value = table.values.get(BASE)
    values = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one.strip()]
    if not values or (isinstance(value, list) and len(values) < len(value)):
        raise table.error('says what to train: "keras:MobileNetV2?weights=imagenet", or a list of such', BASE)
    found = [one if one.startswith(SCHEMES) else locate(one, folder) for one in values]
    try:
        for one in found:
            parse_base(one)
    except EdgebenchError as error:
        raise table.error(str(error), BASE) from error
    return found


def _training_name(table: Table, key: str, base: str, setting: Setting, count: int) -> str:
    """Return the name of a model: the table's, with what tells this run from the table's others."""
    name = table.text("name", key)
    short = base.partition("?")[0].removeprefix("keras:").removeprefix("hf:").replace(":", "-").rpartition("/")[2]
    parts = [name, short, setting.label] if count > 1 else [name]
    return safe_name("-".join(part for part in parts if part).lower().replace(" ", "-"))


def _scenarios(root: Table, options: Options, folder: Path, seeded: Words) -> list[Scenario]:
    found: list[Scenario] = []
    tables = list(root.several("profile"))
    for number, table in enumerate(tables, 1):
        options.refuse_unknown(table)
        for setting in options.product(table, folder):
            label = " ".join(word for word in (f"#{number}" if len(tables) > 1 else "", setting.label) if word)
            found.append(Scenario((*seeded, *setting.words), label, table.place()))
    return found


def _filters(root: Table, kind: str) -> list[Filter]:
    found = []
    for table in root.several(kind):
        table.refuse_unknown(AXES)
        if not table.values:
            raise table.error(f"says nothing: give some of {', '.join(AXES)}")
        globs = []
        for axis, value in table.values.items():
            patterns = value if isinstance(value, list) else [value]
            if not patterns or not all(isinstance(one, str) and one for one in patterns):
                raise table.error(f'{value!r} is no glob such as "tflite:*"', axis)
            globs.append((axis, tuple(patterns)))
        found.append(Filter(kind == "include", tuple(globs), table.place()))
    return found
