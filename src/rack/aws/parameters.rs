//! Private keys as secure strings of the SSM parameter store.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterType;
use zeroize::Zeroizing;

use super::account::Clients;
use super::bucket::{PROBE, not_stored, same_as_probe};
use super::error::Call;
use crate::rack::{KeyStore, PortError, PrivateKey};

type Result<T> = std::result::Result<T, PortError>;

/// How many bytes a parameter of the standard tier holds (SSM user guide, parameter tiers).
const ROOM: usize = 4096;

/// A prefix of parameter names as a key store: `<prefix>/keys/<name>` and `<prefix>/current`.
pub(super) struct ParameterStore {
    clients: Arc<Clients>,
    prefix: String,
    kms_key: Option<String>,
}

impl ParameterStore {
    pub(super) fn new(clients: Arc<Clients>, prefix: &str, kms_key: Option<&str>) -> Result<Self> {
        let trimmed = prefix.trim_matches('/');
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        if trimmed.is_empty() || !trimmed.chars().all(allowed) {
            return Err(PortError::KeyStore {
                store: format!("ssm:{prefix}"),
                message: "a prefix is made of letters, digits and `.-_/`".to_owned(),
            });
        }
        let prefix = format!("/{trimmed}");
        Ok(Self {
            clients,
            prefix,
            kms_key: kms_key.map(str::to_owned),
        })
    }

    fn parameter(&self, name: &str) -> String {
        format!("{}/keys/{name}", self.prefix)
    }

    fn current_parameter(&self) -> String {
        format!("{}/current", self.prefix)
    }

    async fn write(&self, parameter: &str, text: &str) -> Result<()> {
        if text.len() > ROOM {
            return Err(PortError::KeyStore {
                store: self.describe(),
                message: format!(
                    "a parameter holds {ROOM} bytes and the key has {}",
                    text.len()
                ),
            });
        }
        let call = Call::new("ssm", "PutParameter", parameter);
        let put = self
            .clients
            .ssm()
            .put_parameter()
            .name(parameter)
            .value(text);
        let put = put.r#type(ParameterType::SecureString).overwrite(true);
        let answer = put.set_key_id(self.kms_key.clone()).send().await;
        answer.map(drop).map_err(|error| call.failed(error))
    }

    async fn read(&self, parameter: &str) -> Result<Option<Zeroizing<String>>> {
        let call = Call::new("ssm", "GetParameter", parameter);
        let answer = self
            .clients
            .ssm()
            .get_parameter()
            .name(parameter)
            .with_decryption(true);
        match answer.send().await {
            Ok(answer) => {
                let value = answer.parameter.and_then(|parameter| parameter.value);
                Ok(value.map(Zeroizing::new))
            }
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn forget(&self, parameter: &str) -> Result<()> {
        let call = Call::new("ssm", "DeleteParameter", parameter);
        match self
            .clients
            .ssm()
            .delete_parameter()
            .name(parameter)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(()),
                error => Err(error),
            },
        }
    }

    async fn key(&self, parameter: &str) -> Result<Option<PrivateKey>> {
        let text = self.read(parameter).await?;
        Ok(text.map(|text| PrivateKey::new(text.as_str().to_owned())))
    }
}

#[async_trait]
impl KeyStore for ParameterStore {
    fn describe(&self) -> String {
        format!("ssm:{}/", self.prefix)
    }

    async fn check(&self) -> Result<()> {
        let probe = self.parameter(PROBE);
        self.write(&probe, PROBE).await?;
        let read = self.read(&probe).await?;
        self.forget(&probe).await?;
        same_as_probe(read.as_deref().map(String::as_str), || self.describe())
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()> {
        self.write(&self.parameter(name), key.expose()).await
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>> {
        self.key(&self.parameter(name)).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.forget(&self.parameter(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let path = format!("{}/keys", self.prefix);
        let call = Call::new("ssm", "GetParametersByPath", &path);
        let mut names = Vec::new();
        let mut token = None;
        loop {
            // Without decryption: only the names are wanted.
            let page = self.clients.ssm().get_parameters_by_path().path(&path);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            let found = page.parameters.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|parameter| {
                let name = parameter.name?;
                let name = name
                    .rsplit_once('/')
                    .map_or(name.as_str(), |(_, name)| name);
                name.starts_with(prefix).then(|| name.to_owned())
            }));
            token = page.next_token.filter(|it| !it.is_empty());
            if token.is_none() {
                // The parameter store promises no order.
                names.sort();
                return Ok(names);
            }
        }
    }

    async fn current(&self) -> Result<Option<PrivateKey>> {
        self.key(&self.current_parameter()).await
    }

    async fn promote(&self, name: &str) -> Result<()> {
        let key = self
            .get(name)
            .await?
            .ok_or_else(|| not_stored(name, || self.describe()))?;
        self.write(&self.current_parameter(), key.expose()).await
    }
}
