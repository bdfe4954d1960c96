"""Commands in comments on GitHub: what a comment says, who may say it, what is done and answered."""
