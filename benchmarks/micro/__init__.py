"""Timings of single functions: `python -m benchmarks.micro.bench_content`."""
