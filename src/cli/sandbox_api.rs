//! The HTTP API of a rack in the account on this machine, asked without a socket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::context::Context;
use super::find::{name_in_sandbox, sandbox_account};
use crate::ui::CliError;

/// What the API of a rack in the sandbox answers to with JSON.
const PATHS: &str = "in the sandbox, the API of a rack answers /system";

/// Reads a path as JSON, as somebody who has the password of the rack that is meant.
///
/// # Errors
/// There is no such rack, nobody answers for it, or the answer is no JSON.
pub(super) async fn get_json(
    context: &Context,
    name: Option<&str>,
    path: &str,
) -> Result<Value, CliError> {
    let (account, _clock, sandbox) = sandbox_account(context).await?;
    let rack = name_in_sandbox(context, name, &account).await?;
    let key = sandbox.peek(|world| world.rack_api_keys(&rack).pop());
    let pair = Zeroizing::new(format!("convox:{}", key.unwrap_or_default()));
    let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let request = Request::get(path).header(header::AUTHORIZATION, basic.as_str());
    let request = request.body(Bytes::new()).map_err(|_| {
        CliError::usage(format!("`{path}` is no path")).hint("percent-encode what is no letter")
    })?;
    let answer = sandbox.rack_api(&rack, request).await;
    let text = String::from_utf8_lossy(answer.body());
    match (answer.status(), text.trim()) {
        (StatusCode::OK, text) => serde_json::from_str(text).map_err(|_| {
            let message = format!("the rack answers GET {path} with text that is not JSON");
            CliError::failed(message).hint(PATHS)
        }),
        (status, "") => {
            let message = format!("response status {}", status.as_u16());
            Err(CliError::failed(message).hint(PATHS))
        }
        (_, text) => Err(CliError::failed(text)
            .hint("`convox --sandbox racks` lists the racks and their status")),
    }
}
