"""How many steps a training has."""

from dataclasses import dataclass

from yt8m.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """Epochs and steps of a training.

    Attributes:
        epochs: Passes over the videos.
        steps_per_epoch: Whole batches in a pass; the rest of the videos is left out.
        batch_size: Videos of a step.
    """

    epochs: int
    steps_per_epoch: int
    batch_size: int

    @classmethod
    def of(cls, num_videos: int, epochs: int, batch_size: int) -> "Schedule":
        """The schedule for so many training videos.

        Raises:
            ConfigError: There is less than one batch of videos.
        """
        if num_videos < batch_size:
            raise ConfigError(
                f"training.batch_size: {batch_size}, but the partition has only {num_videos} training videos. "
                f"Set it to at most {num_videos}."
            )
        return cls(epochs, num_videos // batch_size, batch_size)

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def videos(self) -> int:
        """Videos of all epochs."""
        return self.steps * self.batch_size
