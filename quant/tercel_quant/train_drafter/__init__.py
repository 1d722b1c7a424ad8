"""Training of drafters on text that the model wrote itself."""
