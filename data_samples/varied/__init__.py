"""Made-up inputs of every kind in great variety, in memory, to learn to read kinds of data from."""
