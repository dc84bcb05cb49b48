//! The front door: compress, run, inspect, verify, report.
