use super::*;

/// Each kind as the reference's table has it, and then those of our own.
#[test]
fn every_kind_has_its_status_its_address_and_its_title() {
    let shown: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| {
            let error = ApiError::new(*kind, "");
            format!("{} {} {}\n", kind.status, error.type_url(), kind.title)
        })
        .collect();
    insta::assert_snapshot!(shown.concat(), @r"
    400 https://unkey.com/docs/errors/unkey/application/invalid_input Bad Request
    400 https://unkey.com/docs/errors/unkey/authentication/malformed Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/request_body_unreadable Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/permissions_query_syntax_error Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/invalid_analytics_query Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/invalid_analytics_table Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/invalid_analytics_function Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/invalid_analytics_query_type Bad Request
    400 https://unkey.com/docs/errors/user/bad_request/query_range_exceeds_retention Bad Request
    401 https://unkey.com/docs/errors/unkey/authentication/key_not_found Unauthorized
    403 https://unkey.com/docs/errors/unkey/authorization/insufficient_permissions Insufficient Permissions
    403 https://unkey.com/docs/errors/unkey/authorization/forbidden Forbidden
    403 https://unkey.com/docs/errors/unkey/authorization/key_disabled Key is disabled
    403 https://unkey.com/docs/errors/unkey/authorization/workspace_disabled Workspace is disabled
    404 https://unkey.com/docs/errors/unkey/data/key_not_found Not Found
    404 https://unkey.com/docs/errors/unkey/data/api_not_found Not Found
    404 https://unkey.com/docs/errors/unkey/data/identity_not_found Not Found
    404 https://unkey.com/docs/errors/unkey/data/role_not_found Not Found
    404 https://unkey.com/docs/errors/unkey/data/permission_not_found Not Found
    404 https://unkey.com/docs/errors/unkey/data/workspace_not_found Not Found
    404 https://unkey.com/docs/errors/user/bad_request/path_not_found Not Found
    405 https://unkey.com/docs/errors/user/bad_request/method_not_allowed Method Not Allowed
    408 https://unkey.com/docs/errors/user/bad_request/request_timeout Request Timeout
    409 https://unkey.com/docs/errors/unkey/data/identity_already_exists Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/role_already_exists Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/permission_already_exists Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/key_expired Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/key_already_rerolled Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/key_not_rotating Conflicting Resource
    409 https://unkey.com/docs/errors/unkey/data/conflict Conflicting Resource
    412 https://unkey.com/docs/errors/unkey/application/protected_resource Resource is protected
    412 https://unkey.com/docs/errors/unkey/application/precondition_failed Precondition Failed
    413 https://unkey.com/docs/errors/user/bad_request/request_body_too_large Request Entity Too Large
    422 https://unkey.com/docs/errors/user/unprocessable_entity/query_execution_timeout Unprocessable Entity
    422 https://unkey.com/docs/errors/user/unprocessable_entity/query_memory_limit_exceeded Unprocessable Entity
    422 https://unkey.com/docs/errors/user/unprocessable_entity/query_rows_limit_exceeded Unprocessable Entity
    429 https://unkey.com/docs/errors/user/too_many_requests/workspace_rate_limited Too Many Requests
    500 https://unkey.com/docs/errors/unkey/application/unexpected_error Internal Server Error
    ");
}

#[test]
fn only_what_is_the_servers_affair_is_logged_and_with_its_cause() {
    let failed = ApiError::from(StoreError::Database("no disk".to_owned()));
    assert_eq!(failed.for_log(), Some("the database failed: no disk"));
    assert!(!failed.detail.contains("disk"), "{}", failed.detail);
    let sealed = ApiError::new(Kind::UNEXPECTED, "another master key");
    assert_eq!(sealed.for_log(), Some("another master key"));
    let missing = ApiError::from(StoreError::NotFound(Thing::Key));
    assert_eq!(missing.for_log(), None);
}
