"""How a model's reply is read: the text and what the choices or labels are come in.

Out goes the answer that the text commits to, with the rule that read it, or none.
"""
