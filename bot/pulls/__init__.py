"""What a pull request says: title, body, status lines and the one comment. Text in, Markdown out, no I/O."""
