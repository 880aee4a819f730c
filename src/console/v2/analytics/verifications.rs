//! `analytics.getVerifications`. `docs/analytics.md` describes what can be asked.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::keys::Need;
use crate::keys::analytics::{AnalyticsQuery, BadAnalytics, Fault, Scope, plan};
use crate::store::StoreError;

/// The largest answer, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// A question about verifications.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::console::v2) struct GetVerificationsRequest {
    /// A SELECT over key_verifications_v1 or key_verifications_per_{minute,hour,day,month}_v1.
    query: String,
}

/// A row of an answer, by the names of its columns; what is nothing is left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = Object)]
pub(in crate::console::v2) struct VerificationRow(Map<String, Value>);

/// Answers a question about verifications.
pub(in crate::console::v2) struct GetVerifications;

#[async_trait]
impl Operation for GetVerifications {
    const NAME: &'static str = "analytics.getVerifications";
    const SUMMARY: &'static str = "Answer a question about verifications, asked in a part of SQL";
    type Request = GetVerificationsRequest;
    type Data = Vec<VerificationRow>;

    async fn run(
        call: &Call,
        request: GetVerificationsRequest,
    ) -> Result<Reply<Vec<VerificationRow>>, ApiError> {
        let scope = call.readable().await?;
        let (options, now) = (call.service.options(), call.service.now());
        let most = options.analytics_rows;
        // One more than there may be, so that too many are told from just enough.
        let query = AnalyticsQuery::parse(&request.query)?;
        let planned = plan(&query, &scope, now, most.saturating_add(1))?;
        let turn = Arc::clone(call.service.asking()).acquire_owned().await;
        let (store, span) = (call.service.store().clone(), options.analytics_time);
        // A question is worked on to its end, even where nobody waits for the answer any more: a
        // connection that has a limit to its time must lose it before others have it.
        let asked = tokio::spawn(async move {
            let _turn = turn;
            store.verifications(planned, span).await
        });
        let rows = asked.await.map_err(|_| StoreError::Closed)??;
        if i64::try_from(rows.len()).is_ok_and(|rows| rows > most) {
            let detail = format!("The answer has more than {most} rows. LIMIT makes it shorter.");
            return Err(ApiError::new(Kind::QUERY_ROWS, detail));
        }
        if serde_json::to_vec(&rows).is_ok_and(|bytes| bytes.len() > LARGEST) {
            let detail = format!("The answer has more than {LARGEST} bytes.");
            return Err(ApiError::new(Kind::QUERY_MEMORY, detail));
        }
        Ok(Reply::Data(rows.into_iter().map(VerificationRow).collect()))
    }
}

impl Call {
    /// Says whose verifications the caller may read.
    ///
    /// # Errors
    /// 403 when they are nobody's.
    async fn readable(&self) -> Result<Scope, ApiError> {
        let everything = Need::on_all("api", "read_analytics");
        let workspace = self.workspace().to_owned();
        if self.may(&everything) {
            return Ok(Scope {
                workspace,
                key_spaces: None,
            });
        }
        let mut key_spaces = self.service.store().key_spaces(&workspace).await?;
        key_spaces
            .retain(|(api, key_space)| self.may(&Need::on_api(api, key_space, "read_analytics")));
        if key_spaces.is_empty() {
            self.need(&everything)?;
        }
        let key_spaces = key_spaces.into_iter().map(|(_, key_space)| key_space);
        Ok(Scope {
            workspace,
            key_spaces: Some(key_spaces.collect()),
        })
    }
}

impl From<BadAnalytics> for ApiError {
    fn from(error: BadAnalytics) -> Self {
        let kind = match error.fault {
            Fault::Query => Kind::ANALYTICS_QUERY,
            Fault::Table => Kind::ANALYTICS_TABLE,
            Fault::Function => Kind::ANALYTICS_FUNCTION,
            Fault::Statement => Kind::ANALYTICS_QUERY_TYPE,
            Fault::TooOld => Kind::ANALYTICS_TOO_OLD,
        };
        Self {
            kind,
            ..Self::invalid("query", error.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_too_long_is_told_as_such() {
        let error = ApiError::from(StoreError::TimedOut);
        assert_eq!(error.kind, Kind::QUERY_TIMEOUT);
        assert_eq!(error.kind.status, 422);
    }
}
