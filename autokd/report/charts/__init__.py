"""The charts of the page, as plotly figures."""
