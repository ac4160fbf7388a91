"""The report: the study's notebooks executed, and one rendered as a page."""
