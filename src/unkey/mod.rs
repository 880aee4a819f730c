//! A client of any key service that speaks Unkey's `/v2` API: our own, or api.unkey.com.
//!
//! What a host answers is read leniently: fields that are not known here are kept in the JSON and
//! left out of the types. What makes a secret is sent with an `Idempotency-Key`, and repeated with
//! the same one where no answer came, so that a lost answer loses no key.

mod address;
mod client;
mod error;
mod model;

pub use address::Address;
pub use client::{Answer, Client, ClientOptions, Page, Repeat};
pub use error::{Refusal, UnkeyError};
pub use model::{
    Api, CallerUses, Credits, Identity, Key, KeyUses, MadeApi, MadeIdentity, MadeKey, RateLimit,
    Refill, Rotation, RotationUses, Verification,
};
