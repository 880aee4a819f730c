//! Analytics: how often keys were verified.

mod verifications;

pub(super) use verifications::GetVerifications;
