//! The only place that names an `aws-sdk` crate: the ports over the real APIs.
