//! What both engines that roll an API key can do: the one in the account, and the one over the
//! API itself.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use super::value::ApiKeyRequest;
use crate::rack::PortError;
use crate::roll::engine::Engine;
use crate::roll::outcome::Report;
use crate::roll::plan::Plan;
use crate::roll::preflight::Refusal;

/// Plans and carries out rolls of a rack API's key.
#[async_trait(?Send)]
pub trait ApiKeyEngine {
    /// Looks at the rack and says what a roll of its API key would do. Changes nothing that
    /// stays. The new key is known to the engine from then on, and to nobody else.
    ///
    /// # Errors
    /// Why a roll is refused, with the way out.
    async fn plan_api_key(
        &mut self,
        request: ApiKeyRequest,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal>;
    /// Returns the new API key of a plan that was made here.
    fn new_api_key(&self, plan: &Plan) -> Option<&SecretString>;
    /// Carries out a plan and reports how it ended.
    ///
    /// With `detach` it stops following as soon as the update is accepted.
    async fn run(&mut self, plan: Plan, detach: bool) -> Report;
    /// Learns that the new key of a roll that is done was shown to whoever asked for it, so that
    /// no copy of it needs to stay on its account.
    ///
    /// # Errors
    /// When a copy cannot be deleted.
    async fn shown(&mut self, plan: &Plan) -> Result<(), PortError>;
}

#[async_trait(?Send)]
impl ApiKeyEngine for Engine {
    async fn plan_api_key(
        &mut self,
        request: ApiKeyRequest,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal> {
        Engine::plan_api_key(self, request, wait_busy).await
    }

    fn new_api_key(&self, plan: &Plan) -> Option<&SecretString> {
        Engine::new_api_key(self, plan)
    }

    async fn run(&mut self, plan: Plan, detach: bool) -> Report {
        Engine::run(self, plan, detach).await
    }

    async fn shown(&mut self, _: &Plan) -> Result<(), PortError> {
        // None stays: the account has the key.
        Ok(())
    }
}
