"""The pipeline's components: one folder per stage, each a thin call of that stage."""
