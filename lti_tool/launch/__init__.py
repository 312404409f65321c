"""LTI 1.3 launches: who may launch, login, launch, the session that follows, deep linking, keys and tokens.

``protocol`` holds the only calls of the LTI library; every trust decision is ours.
"""
