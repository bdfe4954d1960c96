"""Everything people read: what is to be said (views), as plain data (documents), and how (writers)."""
