"""What is asked: a benchmark's name, or a file or folder of one's own, comes in.

Out go items with their choices and right answers, or the queries and passages of a retrieval set.
"""
