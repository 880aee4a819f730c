//! The roll of the rack API's key: what differs from the roll of an SSH key.
//!
//! The plan, the journal, the watching of the stack, resuming and the ends are shared. What
//! differs is what is made and where it is kept, that the API's processes are restarted, and
//! who is asked for the proof.

mod engine;
mod finish;
mod observe;
mod outage;
mod plan;
mod prove;
mod restart;
mod stage;
mod value;

pub use engine::ApiKeyEngine;
pub(super) use finish::proven_words;
pub(super) use observe::observe;
pub(super) use outage::{BETWEEN_SAMPLES, OutageMeter, SAMPLE_PATIENCE};
pub use plan::{ApiPlan, ApiService, ApiWay, KeyKind};
pub(super) use plan::{REPLACED_IN, draft, plan};
pub(super) use prove::{Proof, Question};
pub(super) use stage::with_file;
pub use value::{ApiKeyRequest, mint};
pub(super) use value::{NewKey, name_of, roll_of};

/// The logical id of the API's service in a rack's template.
pub(super) const API_SERVICE: &str = "ServiceWebApi";
/// The parameter that holds the API's key in a rack's template.
pub const API_KEY_PARAMETER: &str = "Password";
