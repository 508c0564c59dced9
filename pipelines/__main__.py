"""`python -m pipelines`: the command `yt8m`."""

from pipelines.cli import main

main()
