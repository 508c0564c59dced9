"""Records: what each node of a run did, with which figures, and which files it wrote.

Steps write them and look for earlier ones; the report, the model card and the commands for clusters read them.
"""
