//! `ratelimit.limit`: counts anything against a limit that the caller names.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::{Need, Want};

/// What is counted, and against which limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct LimitRequest {
    /// Where it is counted; made when it is first named.
    #[schema(min_length = 1, max_length = 512)]
    namespace: String,
    /// Whose uses are counted.
    #[schema(min_length = 1, max_length = 512)]
    identifier: String,
    /// How many uses there may be.
    #[schema(minimum = 1)]
    limit: i64,
    /// In how many milliseconds.
    #[schema(minimum = 1000, maximum = 2_592_000_000_i64)]
    duration: i64,
    /// How many uses this one is; 0 only asks.
    #[serde(default = "one")]
    #[schema(minimum = 0)]
    cost: i64,
}

fn one() -> i64 {
    1
}

/// How the limit stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console::v2) struct LimitData {
    limit: i64,
    remaining: i64,
    /// When the current span of time ends, in Unix milliseconds.
    reset: i64,
    /// Whether it is allowed.
    success: bool,
}

/// Counts a use.
pub(in crate::console::v2) struct Limit;

#[async_trait]
impl Operation for Limit {
    const NAME: &'static str = "ratelimit.limit";
    const SUMMARY: &'static str = "Count a use against a limit, and tell whether it is allowed";
    type Request = LimitRequest;
    type Data = LimitData;

    async fn run(call: &Call, request: LimitRequest) -> Result<Reply<LimitData>, ApiError> {
        let namespace = namespace(call, &request.namespace).await?;
        let want = Want {
            window: &format!("{namespace}:{}", request.identifier),
            limit: request.limit,
            duration: request.duration,
            cost: request.cost,
        };
        let taken = call.service.windows().take(&[want], call.service.now());
        let data = taken.first().map(|taken| LimitData {
            limit: request.limit,
            remaining: taken.remaining,
            reset: taken.reset,
            success: !taken.exceeded,
        });
        // One limit is asked for, so one is told.
        data.map(Reply::Data)
            .ok_or_else(|| ApiError::invalid("limit", "There is no limit to count against."))
    }
}

/// Returns the id of a namespace in which the caller may count.
async fn namespace(call: &Call, name: &str) -> Result<String, ApiError> {
    let known = call.service.namespace(call.workspace(), name).await?;
    if let Some(id) = known {
        call.need(&Need::on("ratelimit", &id, "limit"))?;
        return Ok(id);
    }
    call.need(&Need::on_all("ratelimit", "limit"))?;
    call.need(&Need::on_all("ratelimit", "create_namespace"))?;
    let store = call.service.store();
    Ok(store.create_namespace(name, call.audited()).await?)
}
