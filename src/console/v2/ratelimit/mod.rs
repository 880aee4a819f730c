//! Rate limits that belong to no key.

mod limit;

pub(super) use limit::Limit;
