"""Small notebooks, for tests of what executes them."""

import nbformat


def write_notebook(path, *sources):
    """A notebook with a title and these cells, of which the first has the parameters; returns its path."""
    cells = [nbformat.v4.new_markdown_cell("# Title"), *(nbformat.v4.new_code_cell(source) for source in sources)]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path
