"""What is to be said of an experiment, a campaign, a promotion or a morning, as documents. None knows a format."""
