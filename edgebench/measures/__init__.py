"""Pure functions over arrays and runs: from raw samples and outputs to figures with their intervals."""
