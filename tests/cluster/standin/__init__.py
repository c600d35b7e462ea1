"""A stand-in for Strimzi and spark-operator, for tests on a cluster that can't pull the operators' images.

It reads Kafka, KafkaNodePool, KafkaTopic, KafkaUser, KafkaConnect, KafkaConnector and SparkApplication from the API
server, runs them as plain StatefulSets and Jobs under the names the operators give them, and writes their conditions.
It honours the fields that the chart sets and refuses every other one loudly: a field that does nothing here would
make a test pass that proves nothing.
"""
