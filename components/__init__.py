"""Components, one file per stage: a plain function that calls the function of its stage. `step` has what they share.

Imports only the library. Imported by `pipelines`, which makes KFP components of the functions.
"""
