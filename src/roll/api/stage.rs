//! The new key is kept where a crash cannot lose it, before the stack is touched.

use std::sync::Arc;

use super::value::NewKey;
use crate::rack::{ApiKeyAccess, KeyFile, PortError, UpdateRequest};
use crate::roll::base::{Base, Trouble};
use crate::roll::forward::update_request;
use crate::roll::journal::Effect;
use crate::roll::plan::{Plan, Step};
use crate::roll::run::Run;

impl Base<'_> {
    /// Hands the new key to everybody who keeps one, beside the key that works.
    ///
    /// Before it is stored: what the key store has, another machine may go on with, and then
    /// everybody here must be able to use it.
    pub(in crate::roll) async fn mint_value(&mut self) -> Result<(), Trouble> {
        self.check_stop()?;
        let Some(new) = self.value() else {
            return Err(
                Trouble::new("the roll was left before its new key was stored")
                    .hint("nothing is changed: roll again"),
            );
        };
        self.begin(Step::Mint);
        if self.api.holders.is_empty() {
            self.done(Step::Mint, "nobody here keeps the key");
            return Ok(());
        }
        self.started(Effect::StageKey).await?;
        let roll = self.plan.roll.clone();
        for holder in self.api.holders.clone() {
            holder.stage(&new, &roll).await?;
        }
        self.finished(Effect::StageKey).await?;
        let names = self.holder_names();
        self.done(Step::Mint, format!("the new key waits in {names}"));
        Ok(())
    }

    /// Keeps the new key in the key store, sealed and under a name that holds the roll's id.
    pub(in crate::roll) async fn store_value(&mut self) -> Result<(), Trouble> {
        let Some(new) = self.new.clone() else {
            return Err(Trouble::new("the roll's new key is not known any more"));
        };
        self.check_stop()?;
        self.begin(Step::Stage);
        let (name, stored) = (self.plan.new_key.clone(), new.to_stored());
        self.started(Effect::StoreKey).await?;
        let keys = self.keys.clone();
        self.repeat(async || keys.put(&name, &stored).await).await?;
        let read_back = self.repeat(async || keys.get(&name).await).await?;
        if !read_back.is_some_and(|key| key.is_same_as(&stored)) {
            return Err(Trouble::new(format!(
                "{} does not give back the key that it was given",
                self.plan.key_store
            )));
        }
        self.finished(Effect::StoreKey).await?;
        self.done(Step::Stage, format!("the new key is kept as {name}"));
        Ok(())
    }

    /// Names everybody who keeps the key.
    pub(super) fn holder_names(&self) -> String {
        let names = self.api.holders.iter().map(|holder| holder.describe());
        names.collect::<Vec<_>>().join(" and ")
    }

    /// Finds the new key again: in the key store, or else with somebody who was handed it.
    ///
    /// # Errors
    /// When the key store does not answer, or holds something else.
    pub(in crate::roll) async fn recall_value(&mut self) -> Result<(), PortError> {
        if !self.plan.is_api() {
            return Ok(());
        }
        let name = self.plan.new_key.clone();
        let keys = self.keys.clone();
        let stored = self.repeat(async || keys.get(&name).await).await?;
        if let Some(stored) = stored {
            self.new = Some(NewKey::of_stored(&stored, &name)?);
            return Ok(());
        }
        let roll = self.plan.roll.clone();
        for holder in self.api.holders.clone() {
            if let Some(value) = holder.pending(&roll).await? {
                self.pending = Some(value);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Makes the update that the roll stands for.
    pub(in crate::roll) fn update_request(
        &self,
        stack: &crate::rack::Stack,
    ) -> Result<UpdateRequest, Trouble> {
        if !self.plan.is_api() {
            return Ok(update_request(&self.plan, stack));
        }
        match &self.new {
            Some(new) => Ok(api_update_request(&self.plan, stack, new)),
            None => Err(Trouble::new("the key store lost the roll's new key")),
        }
    }
}

/// Adds the file that a plan names to those who keep the key.
pub(in crate::roll) fn with_file(api: &ApiKeyAccess, plan: &Plan) -> ApiKeyAccess {
    let mut api = api.clone();
    let path = plan.api().and_then(|planned| planned.password_out.clone());
    if let Some(path) = path {
        api.holders.push(Arc::new(KeyFile::new(path)));
    }
    api
}

/// Makes the update of a plan: the new key, what else was asked for, and all others as they are.
pub(super) fn api_update_request(
    plan: &Plan,
    stack: &crate::rack::Stack,
    new: &NewKey,
) -> UpdateRequest {
    use secrecy::ExposeSecret as _;
    let mut request = update_request(plan, stack);
    let value = new.value.expose_secret().to_owned();
    request.set = new.set.clone();
    request.set.insert(plan.key_parameter.clone(), value);
    request.keep.retain(|key| !request.set.contains_key(key));
    request
}
