"""`hf:owner/name`: the hub's cache, a hub that answers, and none that can be reached."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

from edgebench.converters.huggingface import source as huggingface_source  # noqa: E402
from tests.models.huggingface import checkpoint as write_checkpoint  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint("vit", tmp_path / "tiny vit")


class _Hub(http.server.BaseHTTPRequestHandler):
    """A hub that knows no repository, and answers as the real one does."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def resolve_in_a_process(spec: str, cache: Path, endpoint: str) -> str:
    """The hub's client reads its settings when it is imported, so each try is a process."""
    code = (
        "import sys\nfrom edgebench.converters.sources import resolve\nfrom edgebench.errors import UsageError\n"
        "try:\n    print(resolve(sys.argv[1]).sha256)\nexcept UsageError as error:\n    print(error)\n"
        "assert not {'torch', 'transformers', 'tensorflow'} & set(sys.modules)"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint}
    done = subprocess.run(
        [sys.executable, "-c", code, spec], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_id_that_does_not_exist(tmp_path: Path, hub: str) -> None:
    said = resolve_in_a_process("hf:nobody/nothing", tmp_path, hub)
    assert said == "hf:nobody/nothing does not exist on the hub, or is private: check owner and name"


def test_offline_without_the_cache(tmp_path: Path) -> None:
    said = resolve_in_a_process("hf:nobody/nothing", tmp_path, "http://127.0.0.1:9")
    assert "not in the hub's cache, and the hub cannot be reached" in said
    assert "\n" not in said


@pytest.mark.parametrize("spec", ["hf:", "hf:vit", "hf:a/b/c", "hf:a/b@", "hf:../b"])
def test_an_id_that_is_none(spec: str, tmp_path: Path) -> None:
    assert "cannot read" in resolve_in_a_process(spec, tmp_path, "http://127.0.0.1:9")


def test_the_cache_is_enough(folder: Path, tmp_path: Path) -> None:
    commit = "0123456789012345678901234567890123456789"
    repository = tmp_path / "cache" / "models--someone--tiny"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    expected = huggingface_source.resolve(str(folder)).sha256
    for spec in ("hf:someone/tiny", f"hf:someone/tiny@{commit}"):
        assert resolve_in_a_process(spec, tmp_path / "cache", "http://127.0.0.1:9") == expected
    offline = (tmp_path / "cache", "http://127.0.0.1:9")
    assert "cannot be reached" in resolve_in_a_process("hf:someone/tiny@v9", *offline)
    said = resolve_in_a_process("hf:someon/tinny", *offline)
    assert said.endswith("The cache has hf:someone/tiny")

    snapshot = repository / "snapshots" / commit
    (snapshot / "model.safetensors").rename(snapshot / "model-00001-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    assert resolve_in_a_process("hf:someone/tiny", *offline) == (
        "hf:someone/tiny is in the hub's cache without model-00002-of-00002.safetensors, and the hub does not "
        "give more: connect once"
    )
