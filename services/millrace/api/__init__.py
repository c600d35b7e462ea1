"""The API: answers from champions in memory, without Spark, Kafka or a JVM."""
