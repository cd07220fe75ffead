"""Which chat model answers: a model spec or a family's name comes in.

Out goes a LangChain chat model that makes up for its family's quirks, behind an API or here.
"""
