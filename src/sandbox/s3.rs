//! S3, as far as key stores use it.

use serde::{Deserialize, Serialize};

/// S3's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct S3 {}
