"""What is to be asked, built whole before anything is written: a suite comes in.

Out goes a plan: the items of each evaluation, and the systems that answer them.
"""
