"""The extension package, installed once for the tests of suites."""

from pathlib import Path

import pytest

from tests.suite.studies import install, make_study


@pytest.fixture(scope="session")
def linear_site(tmp_path_factory):
    """The folder that makes Python know the extension package."""
    return install(Path(__file__).parent.parent / "extension_package", tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, linear_site, photos):
    """A study of 2 models x 2 variants on one device that is through, and what it said."""
    study = make_study(tmp_path_factory.mktemp("study") / "s", linear_site, photos)
    return study, study.run()
