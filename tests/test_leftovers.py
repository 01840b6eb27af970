"""A folder that is taken for left over in the moment before it is held: its maker makes another."""

import os

from edgebench import leftovers


def test_a_folder_that_is_swept_away_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    really, swept = os.open, []

    def sweep_first(path, *arguments, **more):
        if not swept:
            swept.append(0)  # before the sweep, which opens the folder itself
            swept[0] = leftovers.drop(tmp_path)
        return really(path, *arguments, **more)

    monkeypatch.setattr(os, "open", sweep_first)
    with leftovers.held_folder(tmp_path) as folder:
        assert folder.is_dir() and leftovers.drop(tmp_path) == 0
    assert swept == [1] and not list(tmp_path.iterdir())
