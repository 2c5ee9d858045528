"""The report of a study: one HTML page and PNG figures."""
