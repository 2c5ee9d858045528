"""What a specimen is and where its numbers come from."""
