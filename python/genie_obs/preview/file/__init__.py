"""The dashboard file (``.lvdash.json``): what it holds, its formats and its colours. Knows no SQL engine and no page."""
