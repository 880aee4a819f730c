//! Lists, a page at a time.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::store::Page;

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PageRequest {
    /// How many there are on a page at most.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 100)]
    limit: i64,
    /// Where the page begins, as the page before it said.
    #[schema(min_length = 1, max_length = 255)]
    cursor: Option<String>,
    /// What they are to contain, whatever the case of its letters.
    #[schema(max_length = 256)]
    search: Option<String>,
}

impl From<PageRequest> for Page {
    fn from(request: PageRequest) -> Self {
        Self {
            cursor: request.cursor,
            limit: request.limit,
            search: request.search,
        }
    }
}

/// Returns how many there are on a page when nobody says so.
pub(super) fn most() -> i64 {
    100
}
