"""The teachers: what an edit of a training picture should look like."""
