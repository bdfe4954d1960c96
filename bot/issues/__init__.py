"""What issues say: what became of a human's idea, and why the loop needs a human."""
