"""Training: building a small LMM from a recipe and tuning it with `transformers.Trainer`."""
