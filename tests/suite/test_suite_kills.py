"""A study killed with -9 and resumed: the table of one that was let through, and nothing done twice."""

import random

from tests.suite.studies import again, differences, kill_at, make_study


def test_kills_cost_no_finished_work(finished, tmp_path, linear_site, photos):
    whole, _ = finished
    study = make_study(tmp_path / "s", linear_site, photos)
    moments = [2, *sorted(random.Random(15).sample(range(5, 15), 2))]  # a conversion, then measurements
    done = kill_at(study, moments)
    assert done.kills == 3 and done.lost == 0 and done.kept
    assert not again(study)
    assert not differences(study, whole) and study.runs() == whole.runs()
