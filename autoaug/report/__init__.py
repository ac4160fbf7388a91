"""The report: `show` for its tables, `tables` for their frames, `sentences` for its words, `render` for its page.

The notebook distribution_shift.ipynb calls the first three; `python -m autoaug.report` runs it and renders the page.
"""
