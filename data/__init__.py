"""What is asked: items, benchmarks and the files they come from."""
