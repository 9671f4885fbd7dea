"""What an initialisation does to a torch model."""
