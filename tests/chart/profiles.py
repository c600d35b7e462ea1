"""The ways in which people install the chart, by name: (values, profile files)."""

from typing import Any

EXTERNAL_KAFKA = {
    "kafka": {
        "external": {
            "enabled": True,
            "bootstrap": "b-1.example.com:9098,b-2.example.com:9098",
            "saslMechanism": "AWS_MSK_IAM",
        }
    }
}
PASSWORD_KAFKA = {
    "kafka": {
        "external": {
            "enabled": True,
            "bootstrap": "kafka.example.com:9093",
            "username": "millrace",
            "existingSecret": "kafka-login",
            "caSecret": "kafka-ca",
        }
    }
}
EXTERNAL_STORAGE = {
    "storage": {
        "external": {"enabled": True, "endpoint": "https://s3.example.com", "existingSecret": "s3-login"},
    }
}
IDENTITY = {
    "storage": {
        "external": {
            "enabled": True,
            "region": "eu-west-1",
            "serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"},
        }
    }
}
EXTERNAL_CATALOG = {
    "catalog": {
        "external": {
            "enabled": True,
            "jdbc": "jdbc:postgresql://db.example.com:5432/iceberg",
            "user": "iceberg",
            "existingSecret": "catalog-login",
        }
    }
}

PROFILES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "defaults": ({}, ()),
    "kind": ({}, ("kind",)),
    "production": ({}, ("production",)),
    "external kafka with iam": (EXTERNAL_KAFKA, ()),
    "external kafka with passwords": (PASSWORD_KAFKA, ()),
    "external storage": (EXTERNAL_STORAGE, ()),
    "workload identity": (IDENTITY, ()),
    "external catalog": (EXTERNAL_CATALOG, ()),
    "everything external": (EXTERNAL_KAFKA | IDENTITY | EXTERNAL_CATALOG, ()),
}
