//! Ssm, as far as key stores use it.

use serde::{Deserialize, Serialize};

/// Ssm's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ssm {}
