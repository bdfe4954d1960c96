"""The minds of the loop: who proposes a change, who reviews it, and the offline twins of both."""
