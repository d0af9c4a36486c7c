"""What an edit does to codes, features and pixels."""
