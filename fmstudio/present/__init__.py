"""Results as words: page, terminal, report and card write values and verdicts through it."""
