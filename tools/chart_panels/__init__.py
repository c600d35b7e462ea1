"""The panels of the dashboards, a module a dashboard: lists of (title, unit, [(PromQL, legend), ...])."""

HERE = 'namespace="$namespace"'
