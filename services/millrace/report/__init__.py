"""From the messages of a stream to files for people: charts as PNG and one HTML file that holds all of it."""
