"""A study in one file: read and checked, laid out as steps, run, and found again after anything."""
