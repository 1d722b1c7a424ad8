"""Images as GGUF files."""
