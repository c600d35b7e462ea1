"""The API: answers from the champions in memory. No Spark, no Kafka, no JVM."""
