"""What reconstructions and edits are trained to lower."""
