"""The output folder of a run: what lies where, whose recipe it holds, what is done already, and what runs took."""
