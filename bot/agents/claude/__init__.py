"""Claude, and all that talking to it takes: the client, prices, caps, conversations, transcripts.

The only room that imports `anthropic`, and only when something is asked. Whoever thinks with a model's help
(proposer, reviewer) lives here too; the rules of the loop know none of it.
"""
