"""Two sets of results side by side, and gates over what changed."""
