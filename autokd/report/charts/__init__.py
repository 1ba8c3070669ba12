"""The charts of the page: SVG text, made without a browser."""
