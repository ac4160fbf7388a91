"""Runs as SageMaker jobs: `python -m autoaug.sagemaker launch | study | collect`."""
