//! Keys that somebody else wraps, so that only the wrapped form has to be kept.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::PortError;

/// A key of 256 bits.
pub struct DataKey {
    /// The key itself.
    pub plain: Zeroizing<[u8; 32]>,
    /// What is kept of it.
    pub wrapped: Vec<u8>,
}

/// Whoever makes keys, and unwraps them again.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// Names where the wrapping key is, for a person.
    fn describe(&self) -> String;

    /// Makes a key.
    async fn generate(&self) -> Result<DataKey, PortError>;

    /// Unwraps a key that was made here, with whichever wrapping key it was made.
    async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, PortError>;
}
