"""Who is right, and why: suites come in, runs and their reports go out."""
