//! API keys: what they are, how they are verified, and how one takes the place of another.
//!
//! Nothing here reads a clock, a database or the network: what was read comes in, a decision
//! goes out.

pub mod analytics;
mod credits;
mod facts;
mod grant;
mod id;
mod model;
mod query;
mod refill;
mod reroll;
mod secret;
mod verify;
mod window;

pub use credits::{Balance, CreditsChange, CreditsRefusal, balance_after};
pub use facts::KeyFacts;
pub use grant::{Grants, Need};
pub use id::{IdKind, new_id};
pub use model::{
    Api, Credits, Identity, Key, KeyRecord, Permission, RateLimit, Refill, RefillInterval, Role,
    RootKey, Rotation,
};
pub use query::{BadQuery, PermissionQuery};
pub use refill::refilled;
pub use reroll::{Grace, Reroll, RerollRefusal, cancel, finish, reroll, set_expiry, still_counts};
pub use secret::{BadPrefix, Hash, NewSecret, SecretFormat};
pub use verify::{
    Code, Demand, LimitDemand, NoSuchLimit, Standing, Wanted, standing, windows_wanted,
};
pub use window::{Taken, Want, Windows};
