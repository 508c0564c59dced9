"""KFP components, one file per stage. Each calls the function of its stage; `step` has what they share.

Imports only the library. Imported by `pipelines`.
"""
