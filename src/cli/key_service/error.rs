//! What a key service's refusals mean for the person who typed the command.

use crate::ui::{CliError, Exit};
use crate::unkey::{Refusal, UnkeyError};

/// Says what to do about an error of the key service.
pub(in crate::cli) fn explain(error: UnkeyError) -> CliError {
    let exit = match &error {
        UnkeyError::BadAddress { .. }
        | UnkeyError::PlainHttp { .. }
        | UnkeyError::Unsendable { .. }
        | UnkeyError::BadCertificates { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    let failed = CliError::new(exit, error.to_string());
    match hint(&error) {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

fn hint(error: &UnkeyError) -> Option<String> {
    let fixed = match error {
        UnkeyError::Refused(refusal) => return of_refusal(refusal),
        UnkeyError::BadAddress { .. } => {
            "--host takes https://HOST, or http://127.0.0.1:PORT on this machine"
        }
        UnkeyError::PlainHttp { .. } => {
            "use https, or set X_DEV_ALLOW_HTTP=true where that network may see it"
        }
        UnkeyError::Unsendable { .. } => "a root key is one word of letters and digits",
        UnkeyError::BadCertificates { .. } => "--tls-ca names a file of certificates in PEM form",
        UnkeyError::Client { .. } => "look at HTTPS_PROXY, HTTP_PROXY and --tls-ca",
        UnkeyError::Unreachable { .. } => {
            "`convox console serve` starts one here, --host or CONVOX_KEYS_HOST names another"
        }
        UnkeyError::Unanswered { .. } => "look at the network and at the service, then try again",
        UnkeyError::NotAService { .. } => "look at --host, is that a key service?",
    };
    Some(fixed.to_owned())
}

fn of_refusal(refusal: &Refusal) -> Option<String> {
    let fixed = match (refusal.status, refusal.kind.as_str()) {
        (401, _) => {
            "UNKEY_ROOT_KEY, or the file of --root-key-file, must hold a root key of that service"
        }
        (403, _) => "use a root key that may do this",
        (404, "path_not_found") => "that service has no such operation, is it a newer one here?",
        (404, "key_not_found") => "a key is named by its id, which begins with key_",
        (409, "key_already_rerolled" | "key_expired") => {
            "`convox keys rotation ID` shows what became of a key"
        }
        (409, "key_not_rotating") => "only a key that was rerolled has a rotation",
        (429, _) => {
            let after = refusal.retry_after.unwrap_or(1);
            return Some(format!("try again in {after} s"));
        }
        (500.., _) => "look at the service's log, then try again",
        _ => return None,
    };
    Some(fixed.to_owned())
}
