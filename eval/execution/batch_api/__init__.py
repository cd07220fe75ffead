"""Requests that a provider answers within a day for half the price: written, sent, collected and read as any reply.

A system's items in; out come requests in files and, once their batch has ended, replies in the system's call ledger,
from which the run's usual way makes records of them.
"""
