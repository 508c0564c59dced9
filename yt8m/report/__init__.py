"""Reports of runs: `summary.json` for programs, an HTML page for people, and a page per node.

Reads only the records that nodes leave behind. Imported by the stages `report` and `export`, and by
components that show a page.
"""
