"""Training: recipes, the trainer, evaluation."""
