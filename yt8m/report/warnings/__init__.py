"""Warnings of a run: what makes a figure doubtful or a model bad, with the likely cause and the setting to change.

- `rules`: all rules with their numbers, and the warnings of a run.
- `rule`: what a rule is, and how its texts name figures and settings.
- `training`, `sources`, `ensemble`, `data`: the rules.

`docs/warnings.md` documents every rule.
"""
