//! CloudWatch alarms, by the one call that is needed of CloudWatch.
//!
//! There is no SDK client of CloudWatch in the program: `DescribeAlarms` is a form that is posted
//! (query protocol, API version 2010-08-01), signed as the SDK signs, and sent the same way.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_sts::config::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::account::Clients;
use super::error::Call;
use crate::rack::{Alarm, Alarms, PortError};

const API: &str = "DescribeAlarms";
const VERSION: &str = "2010-08-01";
/// How many names one call carries (CloudWatch API reference).
const AT_ONCE: usize = 100;
/// What a form is.
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// CloudWatch, as a port.
pub(super) struct AwsAlarms {
    clients: Arc<Clients>,
}

impl AwsAlarms {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    /// Posts a form, signed, and returns the status and the body of the answer.
    async fn post(&self, form: String) -> Result<(u16, String), PortError> {
        let unanswered = |message: String| PortError::Unanswered { api: API, message };
        let config = self.clients.config();
        let region = config.region().ok_or(PortError::NoRegion)?.to_string();
        let provider = config.credentials_provider();
        let provider = provider.ok_or_else(|| PortError::Credentials {
            message: "none in the environment, in the profile or on this machine".to_owned(),
        })?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| PortError::Credentials {
            message: error.to_string(),
        })?;
        let now: SystemTime = self.clients.clock().now().into();
        let url = match config.endpoint_url() {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => endpoint(&region),
        };
        let request = signed(&url, &region, form, credentials.into(), now);
        let request = request.map_err(|message| PortError::Rejected {
            api: API,
            code: "InvalidRequest".to_owned(),
            message,
        })?;
        self.clients.trace("CloudWatch", API);
        self.clients.turn("CloudWatch", API).await;
        let answer = self.clients.connector().call(request).await;
        let answer = answer.map_err(|error| unanswered(error.to_string()))?;
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect().await;
        let body = body.map_err(|error| unanswered(error.to_string()))?;
        Ok((
            status,
            String::from_utf8_lossy(&body.into_bytes()).into_owned(),
        ))
    }
}

#[async_trait]
impl Alarms for AwsAlarms {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError> {
        let call = Call::new("cloudwatch", API, "alarms");
        let mut found = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let mut token = None;
            loop {
                let (status, body) = self.post(form(names, token.as_deref())).await?;
                if status != 200 {
                    let text = |name| element(&body, name).unwrap_or_default();
                    return Err(call.refused(status, &text("Code"), &text("Message")));
                }
                found.extend(read(&body));
                token = element(&body, "NextToken").filter(|token| !token.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Returns where CloudWatch is asked in a region (AWS General Reference, "CloudWatch endpoints").
fn endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://monitoring.{region}.{domain}/")
}

/// Writes the form. Composite alarms are told only to whoever names their type.
fn form(names: &[String], token: Option<&str>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", API)
        .append_pair("Version", VERSION)
        .append_pair("MaxRecords", "100")
        .append_pair("AlarmTypes.member.1", "MetricAlarm")
        .append_pair("AlarmTypes.member.2", "CompositeAlarm");
    for (number, name) in names.iter().enumerate() {
        form.append_pair(&format!("AlarmNames.member.{}", number + 1), name);
    }
    if let Some(token) = token {
        form.append_pair("NextToken", token);
    }
    form.finish()
}

fn signed(
    url: &str,
    region: &str,
    form: String,
    identity: Identity,
    now: SystemTime,
) -> Result<HttpRequest, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("monitoring")
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| words(&error))?;
    let headers = [("content-type", FORM)];
    let body = SignableBody::Bytes(form.as_bytes());
    let signable = SignableRequest::new("POST", url, headers.into_iter(), body);
    let signable = signable.map_err(|error| words(&error))?;
    let output = sign(signable, &params.into()).map_err(|error| words(&error))?;
    let (instructions, _) = output.into_parts();
    let request = http::Request::post(url).header("content-type", FORM);
    let mut request = request
        .body(SdkBody::from(form.clone()))
        .map_err(|error| words(&error))?;
    instructions.apply_to_request_http1x(&mut request);
    HttpRequest::try_from(request).map_err(|error| words(&error))
}

/// Reads the alarms of an answer, of both kinds.
fn read(body: &str) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    // Each alarm has one name, and its own state comes after that.
    let mut rest = body;
    while let Some(at) = rest.find("<AlarmName>") {
        let start = &rest[at..];
        let next = start[1..]
            .find("<AlarmName>")
            .map_or(start.len(), |at| at + 1);
        let one = &start[..next];
        if let (Some(name), Some(state)) = (element(one, "AlarmName"), element(one, "StateValue")) {
            let reason = element(one, "StateReason").filter(|reason| !reason.is_empty());
            alarms.push(Alarm {
                name,
                state,
                reason,
            });
        }
        rest = &start[next..];
    }
    alarms
}

/// Returns the text of the first element of a name that has nothing but text in it.
fn element(xml: &str, name: &str) -> Option<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = xml.split_once(open.as_str())?;
    let (text, _) = rest.split_once(close.as_str())?;
    (!text.contains('<')).then(|| unescaped(text.trim()))
}

fn unescaped(text: &str) -> String {
    // The ampersand last, so that what it makes is not taken for another entity.
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (entity, sign)| {
        text.replace(entity, sign)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_of_both_kinds_are_read() {
        let body = "<DescribeAlarmsResponse><DescribeAlarmsResult><CompositeAlarms><member>\
            <AlarmName>all</AlarmName><AlarmRule>ALARM(&quot;a&quot;)</AlarmRule>\
            <StateValue>OK</StateValue></member></CompositeAlarms><MetricAlarms><member>\
            <AlarmName>5xx &amp; more</AlarmName><StateReason>3 &gt; 1</StateReason>\
            <StateValue>ALARM</StateValue></member></MetricAlarms></DescribeAlarmsResult>\
            </DescribeAlarmsResponse>";
        let alarms = read(body);
        assert_eq!(alarms.len(), 2);
        assert_eq!((alarms[0].name.as_str(), alarms[0].is_on()), ("all", false));
        assert_eq!(
            (alarms[1].name.as_str(), alarms[1].is_on()),
            ("5xx & more", true)
        );
        assert_eq!(alarms[1].reason.as_deref(), Some("3 > 1"));
    }

    #[test]
    fn a_request_is_signed_for_the_service_and_names_every_alarm() {
        let form = form(&["a b".to_owned(), "c".to_owned()], Some("t"));
        assert!(form.ends_with("AlarmNames.member.1=a+b&AlarmNames.member.2=c&NextToken=t"));
        let identity = aws_sdk_sts::config::Credentials::new("AKID", "secret", None, None, "test");
        let now = SystemTime::UNIX_EPOCH;
        let url = endpoint("eu-west-1");
        let request = signed(&url, "eu-west-1", form, identity.into(), now).unwrap();
        assert_eq!(request.uri(), "https://monitoring.eu-west-1.amazonaws.com/");
        let by = request.headers().get("authorization").unwrap();
        assert!(
            by.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKID/19700101/eu-west-1/monitoring/aws4_request"
            ),
            "{by}"
        );
        assert_eq!(
            endpoint("cn-north-1"),
            "https://monitoring.cn-north-1.amazonaws.com.cn/"
        );
    }
}
