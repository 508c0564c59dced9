"""The command line `yt8m`: one file per command, and what several of them share.

Imports every other part of `pipelines`; nothing imports it. TensorFlow, Keras and KFP are imported only inside of
functions, so that `yt8m --help` stays fast.
"""

from pipelines.cli.main import main as main
