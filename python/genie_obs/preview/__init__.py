"""Local preview of AI/BI dashboards (``.lvdash.json``): a leaf, imported by its own command only.

model ← tokens ← expressions ← parameters ← statements        the file, and the SQL it means
results ← tiles ← charts/                                      rows, and what is drawn from them
pages ← site ← server, exporter ← command                      the page, served or written to one file
"""
