"""Readers of files of videos: one or two modules per kind of file, and what all have in common.

- `paths`: the files of the given paths.
- `array_files`, `hdf5_files`: arrays of NumPy and HDF5 files, read row by row; `array_videos`: videos in them.
- `table_files`: tables in Parquet and CSV files; `columns`: what their columns mean; `table_videos`: videos in them.
- `rows`: videos whose rows are one video or one frame each.
- `joined`: features of the same videos from several sources.
- `label_files`: files of ids and labels in every format.
- `checked`: checks that every video passes.

May import what `yt8m.data.importing` may import.
"""
