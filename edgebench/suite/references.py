"""The source models' own outputs, made on a cluster before anything is measured; what fails there is tried here."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgebench.converters.trust import Trust
from edgebench.errors import EdgebenchError
from edgebench.files import atomic_path, sha256_file
from edgebench.images.datasets import Dataset
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.request import PLAIN, Measuring
from edgebench.pipeline.scoring import make_exam
from edgebench.records import OK, Artifact, Preprocessing, Source, to_dict
from edgebench.suite import far
from edgebench.suite.cluster import Cluster
from edgebench.suite.sending import model_files


def make_references(cluster: Cluster, found: Sequence[Found], how: Measuring, cache: Path) -> None:
    """Make the outputs of every source model on every unperturbed set, side by side, in the cache."""
    if how.trust.lambdas or how.trust.imports:
        return  # code of others runs on this machine alone, where that was typed

    def predict(source: Source, rule: Preprocessing, images: Path, out: Path, trust: Trust) -> None:
        del trust
        files, text = model_files(source.spec)
        hashes = {name: sha256_file(path) for name, path in files.items()}
        places = {sha256: files[name] for name, sha256 in hashes.items()}
        content = sha256_file(images)
        asked = json.dumps({**to_dict(source), "spec": text}).encode()
        arguments = [asked, json.dumps(to_dict(rule)).encode(), list(hashes.items()), content]
        told = cluster.run(far.predict, arguments, {**places, content: images})
        outputs = np.frombuffer(told["outputs"], "<f4").reshape(told["shape"]).astype(np.float32)
        with atomic_path(out) as temporary, temporary.open("wb") as stream:
            np.save(stream, outputs, allow_pickle=False)

    def make(artifact: Artifact, dataset: Dataset) -> None:
        rule = artifact.preprocessing or how.rule or PLAIN
        with contextlib.suppress(EdgebenchError):  # told when the exam is made here
            make_exam(artifact, rule, dataset, cache, None, how.trust, predict)

    one_of_each = {item.artifact.model: item.artifact for item in found if item.artifact.status == OK}
    with ThreadPoolExecutor(max(1, cluster.threads)) as pool:
        for artifact in one_of_each.values():
            if artifact.input is not None:
                for dataset in how.datasets:
                    pool.submit(make, artifact, dataset)
