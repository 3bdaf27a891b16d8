"""A report on an adapter: methods, results, checklists, figures, as HTML, PDF and JSON."""
