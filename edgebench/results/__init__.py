"""Results -> figures: loading, what one says, what is comparable, and what follows from several."""
