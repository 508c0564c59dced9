"""What happens after every epoch: batch statistics and hold-out figures are measured, and weights are kept."""
