"""What Millrace is measured against: each a program of its own, written the way one usually would."""
