"""Local preview of AI/BI dashboards (``.lvdash.json``). Only its own command and the demo import it.

Rooms, from the top down; each imports only rooms below it:

    command.py    flags, and what is opened and closed
    page/         tiles, pivots, text boxes; the site over an engine; the page, served or written to one file
    charts/       chart widgets as Vega-Lite
    query/        parameters, filters, the SQL of a tile, its rows
    file/         the file, read tolerantly; formats; colours
"""
