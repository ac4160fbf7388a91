"""A run as a SageMaker job."""
