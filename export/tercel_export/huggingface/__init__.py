"""Images as Hugging Face checkpoints in the packed layout of BitNet."""
