"""Measurements: `python -m benchmarks NAME --json` prints one JSON object with n, machine, and a reference."""
