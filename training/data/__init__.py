"""The training pictures: packing, labels, landmarks, random batches."""
