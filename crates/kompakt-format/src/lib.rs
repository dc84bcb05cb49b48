//! Parse and validate a container from bytes; never writes.
