"""One case, or many, to an answer that says what it rests on."""
