"""The whole stack on one machine: real Kafka, Connect, S3 and the API as child processes of one supervisor."""
