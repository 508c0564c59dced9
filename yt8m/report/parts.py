"""The videos on which figures were computed: the parts of the hold-out, training and test.

`prepare` divides the hold-out once. Everything is decided on *select*, and figures are those of *report*. Under the
paper's protocol (`data.report_share: 0`) both are the whole hold-out.
"""

from yt8m.config import Config
from yt8m.records.record import NodeRecord
from yt8m.report.run import Run


class Parts(Config):
    """Numbers of videos by part. Null means unknown.

    Attributes:
        reported: Part on which figures are computed: `report`, or `hold-out` if it is not divided.
        report_videos: Number of videos in that part.
        select_videos: Number of hold-out videos on which everything is decided.
        training_videos: Number of training videos.
        test_videos: Number of test videos, on which the exported model is measured once.
    """

    reported: str = "hold-out"
    report_videos: float | None = None
    select_videos: float | None = None
    training_videos: float | None = None
    test_videos: float | None = None

    @property
    def is_divided(self) -> bool:
        """Whether decisions are made on other videos than those of the figures."""
        return self.reported == "report"

    @property
    def report_text(self) -> str:
        """Name of the part on which figures are computed: `1,050 report videos`."""
        return name_videos(self.reported, self.report_videos)

    @property
    def select_text(self) -> str:
        """Name of the part on which everything is decided."""
        return name_videos("select", self.select_videos) if self.is_divided else f"the same {self.report_text}"


def find_parts(run: Run) -> Parts:
    """Find out on which videos a run computed its figures."""
    prepare = run.first("prepare")
    measured = [record for record in run.records if "part" in record.details] or list(run.records)
    exported = run.first("export")
    prepared = prepare.metrics if prepare else {}
    report, select = _first(measured, "videos", "gap"), _first(measured, "select_videos", "gap")
    return Parts(
        reported=next((record.details["part"] for record in measured if "part" in record.details), "hold-out"),
        report_videos=prepared.get("report_videos", report),
        select_videos=prepared.get("select_videos", select),
        training_videos=prepared.get("training_videos"),
        test_videos=exported.metrics.get("test_videos") if exported else None,
    )


def name_videos(part: str, videos: float | None) -> str:
    """Name a number of videos of a part: `1,050 report videos`, or `the report videos` if it is unknown."""
    return f"{videos:,.0f} {part} video{'s' if videos != 1 else ''}" if videos else f"the {part} videos"


def _first(records: list[NodeRecord], key: str, beside: str) -> float | None:
    """Return the first value of a figure, of records that have another one as well."""
    return next((record.metrics[key] for record in records if key in record.metrics and beside in record.metrics), None)
