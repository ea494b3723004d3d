"""Cost models: times of workloads that were not measured, from those that were."""
