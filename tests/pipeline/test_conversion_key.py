"""A cached conversion is found again only where everything that decides it is the same."""

import dataclasses

import pytest

from edgebench import registry
from edgebench.files import sha256_file, write_json
from edgebench.pipeline import conversion_cache
from edgebench.pipeline.conversion_cache import artifact_path, conversion_key, find, manifest_path, tool_versions
from edgebench.records import CRASHED, FAILED, Calibration, Preprocessing, Source
from tests.make import make_artifact

SOURCE = Source("keras", "/m.keras", "s" * 64, (("input_size", "96x96"),))
RULE = Preprocessing("keras:mobilenet_v2", scale=1 / 127.5, mean=(1.0,))
CALIBRATION = Calibration("data", 100, "c" * 64, 0)
BASE = {
    "source": SOURCE,
    "preprocessing": RULE,
    "variant": "tflite:int8",
    "calibration": CALIBRATION,
    "labels": ("cat", "dog"),
}


@pytest.fixture(autouse=True)
def fresh():
    """Versions and code are looked at once a process."""
    for cached in (conversion_cache._code, conversion_cache._version):
        cached.cache_clear()
    yield
    for cached in (conversion_cache._code, conversion_cache._version):
        cached.cache_clear()


def key(**changes):
    return conversion_key(**{**BASE, **changes})


CHANGES = {
    "source": {"source": dataclasses.replace(SOURCE, sha256="t" * 64)},
    "options": {"source": dataclasses.replace(SOURCE, options=(("input_size", "128x128"),))},
    "no options": {"source": dataclasses.replace(SOURCE, options=())},
    "no preprocessing": {"preprocessing": None},
    "format": {"variant": "onnx:int8"},
    "precision": {"variant": "tflite:int16x8"},
    "no calibration": {"calibration": None},
    "labels": {"labels": ("dog", "cat")},
    "no labels": {"labels": ()},
    "target": {"target": "x86-vnni"},
    "promise": {"promise": (0.01, "ab")},
    "another promise": {"promise": (0.02, "ab")},
    "other images of a promise": {"promise": (0.01, "cd")},
}
CHANGES |= {f"calibration {n}": {"calibration": dataclasses.replace(CALIBRATION, **{n: v})} for n, v in
            (("kind", "random"), ("images", 99), ("sha256", "d" * 64), ("seed", 1))}  # fmt: skip
PIXELS = {"scale": 2.0, "mean": (0.5,), "std": (2.0,), "channels": "BGR", "resize": (9,), "resample": "box"}
PIXELS |= {"fit": "cover", "crop": "none", "fill": (7,), "upright": True, "cut": 0.5, "rule": "mine"}
CHANGES |= {f"pixels {n}": {"preprocessing": dataclasses.replace(RULE, **{n: v})} for n, v in PIXELS.items()}


def test_everything_that_decides_is_in_the_key():
    assert set(PIXELS) == {field.name for field in dataclasses.fields(Preprocessing)}
    keys = {name: key(**change) for name, change in CHANGES.items()}
    assert len({key(), *keys.values()}) == len(CHANGES) + 1
    assert key() == key() and len(key()) == 64


def test_where_the_file_lies_is_not_nor_images_that_a_precision_does_not_need():
    assert key(source=dataclasses.replace(SOURCE, spec="/elsewhere/m.keras")) == key()
    floats = [key(variant="tflite:float32", calibration=one) for one in (CALIBRATION, None)]
    assert floats[0] == floats[1]


def test_every_tools_version_counts(monkeypatch):
    before = key(), key(variant="onnx:int8")
    installed = conversion_cache.importlib.metadata.version
    names = set(registry.converter_module("keras", "source").TOOLS["tflite"])
    assert {"tensorflow", "ai-edge-quantizer"} <= names
    for changed in names:
        conversion_cache._version.cache_clear()
        monkeypatch.setattr(
            conversion_cache.importlib.metadata, "version", lambda n, c=changed: "0.0" if n == c else installed(n)
        )
        assert tool_versions("keras", "tflite")[changed] == "0.0"
        assert key() != before[0], changed
    conversion_cache._version.cache_clear()
    monkeypatch.setattr(
        conversion_cache.importlib.metadata, "version", lambda n: "0.0" if n == "tf2onnx" else installed(n)
    )
    assert key() == before[0] and key(variant="onnx:int8") != before[1]  # it makes no .tflite
    monkeypatch.setattr(conversion_cache, "__version__", "0.0")
    assert key() != before[0] and tool_versions("keras", "tflite")["edgebench"] == "0.0"


def test_a_tool_that_is_not_installed_has_no_version_and_an_unknown_format_no_tools():
    assert conversion_cache._version("no-such-distribution") == ""
    assert set(tool_versions("keras", "no-such-format")) == {"edgebench"}
    assert tool_versions("huggingface", "onnx")["torch"]


def test_our_own_code_counts_down_to_its_subfolders(tmp_path, monkeypatch):
    converters = tmp_path / "converters"
    (converters / "keras" / "deep").mkdir(parents=True)
    for name in ("base.py", "keras/source.py", "keras/deep/er.py", "keras/notes.txt"):
        (converters / name).write_text("1")
    asked = []
    monkeypatch.setattr(conversion_cache.importlib.resources, "files", lambda n: asked.append(n) or converters)
    keys = [key()]
    for name in ("base.py", "keras/source.py", "keras/deep/er.py"):
        (converters / name).write_text("2")
        conversion_cache._code.cache_clear()
        keys.append(key())
    (converters / "keras/deep/er.py").rename(converters / "keras/deep/other.py")
    conversion_cache._code.cache_clear()
    keys.append(key())
    assert len(set(keys)) == 5 and set(asked) == {"edgebench.converters"}
    (converters / "keras/notes.txt").write_text("2")
    conversion_cache._code.cache_clear()
    assert key() == keys[-1]


def test_the_real_code_is_listed_with_its_subfolders():
    files = dict(conversion_cache._sources(conversion_cache.importlib.resources.files("edgebench.converters")))
    assert {"base.py", "quantize/__init__.py", "keras/source.py", "huggingface/source.py"} <= set(files)
    assert "TOOLS" in files["keras/source.py"] and all(name.endswith(".py") for name in files)


def test_another_packages_converter_and_quantiser_count(monkeypatch):
    read = []
    monkeypatch.setattr(conversion_cache, "_sources", lambda folder: [(str(folder), "x")])
    monkeypatch.setattr(conversion_cache.importlib.resources, "files", lambda name: read.append(name) or name)
    codes = [
        conversion_cache._code("edgebench.converters.keras", "edgebench.converters.quantize.tflite"),
        conversion_cache._code("elsewhere.converter", "edgebench.converters.quantize.tflite"),
        conversion_cache._code("edgebench.converters.keras", "elsewhere.quantise.int4"),
        conversion_cache._code("edgebench.converters.keras", ""),
    ]
    assert set(read) == {"edgebench.converters", "elsewhere.converter", "elsewhere.quantise"}
    assert len(set(codes)) == 3 and codes[0] == codes[3]


def test_names_of_files(tmp_path):
    assert artifact_path(tmp_path, "m", "tflite:int8") == tmp_path / "m-int8.tflite"
    assert artifact_path(tmp_path, "m", "savedmodel:float32") == tmp_path / "m-float32.savedmodel"
    assert manifest_path(tmp_path / "m-int8.tflite") == tmp_path / "m-int8.tflite.json"


def test_a_cached_conversion_stands_on_disk_whole_or_failed_the_same_way(tmp_path):
    path = tmp_path / "m-int8.tflite"
    assert find(path, "k") is None
    path.write_bytes(b"model")
    made = make_artifact(variant="tflite:int8", key="k", sha256=sha256_file(path))

    def kept(artifact):
        write_json(manifest_path(path), artifact)
        return find(path, "k")

    assert kept(made) == made
    assert kept(dataclasses.replace(made, key="other")) is None
    assert kept(dataclasses.replace(made, sha256="0" * 64)) is None
    failed = dataclasses.replace(made, status=FAILED, reason="no kernel", sha256="")
    assert kept(failed) == failed
    assert kept(dataclasses.replace(made, status=CRASHED)) is None  # the next time it may have the memory
    write_json(manifest_path(path), made)
    path.write_bytes(b"cut")
    assert find(path, "k") is None
    path.unlink()
    assert find(path, "k") is None and kept(failed) == failed
    manifest_path(path).write_text('{"version": 99}')
    assert find(path, "k") is None
