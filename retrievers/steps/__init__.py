"""What is done to a retriever's hits: a retriever comes in.

Out goes a retriever that orders, spreads or widens what the first one finds.
"""
