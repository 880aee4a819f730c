//! S3's REST protocol: the method, path and query are the call.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::xml::Xml;
use super::{Reply, header, host, query_pairs};
use crate::sandbox::api::{Answer, AwsError, Input};
use crate::sandbox::s3::{Object, no_such_bucket};
use crate::sandbox::world::World;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A request to S3.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    method: Method,
    bucket: Option<String>,
    key: Option<String>,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Rest {
    pub(super) fn read(request: &Request<Bytes>) -> Result<Self, AwsError> {
        let path = percent_decode(request.uri().path());
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = match host(request).and_then(bucket_of_host) {
            Some(bucket) => (Some(bucket.to_owned()), path),
            None => match path.split_once('/') {
                Some((bucket, key)) => (Some(bucket.to_owned()), key),
                None => (Some(path.to_owned()), ""),
            },
        };
        let headers = request.headers().clone();
        let body = if is_chunked(&headers) {
            unchunk(request.body()).ok_or_else(|| {
                AwsError::new(
                    400,
                    "IncompleteBody",
                    "The request body terminated unexpectedly",
                )
            })?
        } else {
            request.body().clone()
        };
        Ok(Self {
            method: request.method().clone(),
            bucket: bucket.filter(|bucket| !bucket.is_empty()),
            key: (!key.is_empty()).then(|| key.to_owned()),
            query: query_pairs(request).collect(),
            headers,
            body,
        })
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Names the call as the API reference does.
    pub(super) fn action(&self) -> &'static str {
        let sub = |name: &str| self.query.contains_key(name);
        match (self.method.as_str(), &self.bucket, &self.key) {
            ("GET", None, _) => "ListBuckets",
            ("PUT", Some(_), None) if sub("versioning") => "PutBucketVersioning",
            ("PUT", Some(_), None) if sub("encryption") => "PutBucketEncryption",
            ("PUT", Some(_), None) if self.query.is_empty() => "CreateBucket",
            ("HEAD", Some(_), None) => "HeadBucket",
            ("DELETE", Some(_), None) if self.query.is_empty() => "DeleteBucket",
            ("GET", Some(_), None) if sub("location") => "GetBucketLocation",
            ("GET", Some(_), None) if sub("versioning") => "GetBucketVersioning",
            ("GET", Some(_), None) if sub("encryption") => "GetBucketEncryption",
            ("GET", Some(_), None) if sub("list-type") => "ListObjectsV2",
            ("GET", Some(_), None) if self.query.keys().all(|name| is_listing(name)) => {
                "ListObjects"
            }
            ("PUT", Some(_), Some(_)) if self.is_plain_write() => "PutObject",
            ("GET", Some(_), Some(_)) if !sub("acl") && !sub("tagging") => "GetObject",
            ("HEAD", Some(_), Some(_)) => "HeadObject",
            ("DELETE", Some(_), Some(_)) if !sub("uploadId") => "DeleteObject",
            _ => "Unknown",
        }
    }

    fn is_plain_write(&self) -> bool {
        !self.headers.contains_key("x-amz-copy-source")
            && self.query.keys().all(|name| name == "x-id")
    }

    /// Says what is asked for in the words of the API reference, for faults and records.
    pub(super) fn input(&self) -> Input {
        Input(json!({ "Bucket": self.bucket, "Key": self.key }))
    }

    pub(super) fn carry_out(&self, world: &mut World) -> Result<Reply, AwsError> {
        let bucket = self.bucket.as_deref().unwrap_or_default();
        let key = self.key.as_deref().unwrap_or_default();
        match self.action() {
            "ListBuckets" => Ok(list_buckets(world)),
            "CreateBucket" => create_bucket(world, bucket),
            "HeadBucket" => {
                let region = world.region.clone();
                world.bucket(bucket)?;
                Ok(empty(200).with("x-amz-bucket-region", &region))
            }
            "DeleteBucket" => world.delete_bucket(bucket).map(|()| empty(204)),
            "GetBucketLocation" => {
                world.bucket(bucket)?;
                Ok(document("LocationConstraint", |_| {}))
            }
            "GetBucketVersioning" => {
                let status = world.bucket(bucket)?.versioning.clone();
                Ok(document("VersioningConfiguration", |xml| {
                    if let Some(status) = &status {
                        xml.leaf("Status", status);
                    }
                }))
            }
            "PutBucketVersioning" => {
                let enabled = String::from_utf8_lossy(&self.body).contains("<Status>Enabled<");
                let bucket = world
                    .s3
                    .buckets
                    .get_mut(bucket)
                    .ok_or_else(no_such_bucket)?;
                bucket.versioning = Some(if enabled { "Enabled" } else { "Suspended" }.to_owned());
                Ok(empty(200))
            }
            "PutBucketEncryption" => world.bucket(bucket).map(|_| empty(200)),
            "GetBucketEncryption" => {
                world.bucket(bucket)?;
                Ok(encryption())
            }
            "ListObjectsV2" => self.list(world, bucket, true),
            "ListObjects" => self.list(world, bucket, false),
            "PutObject" => self.put(world, bucket, key),
            "GetObject" | "HeadObject" => self.get(world, bucket, key),
            "DeleteObject" => {
                let bucket = world
                    .s3
                    .buckets
                    .get_mut(bucket)
                    .ok_or_else(no_such_bucket)?;
                bucket.objects.remove(key);
                Ok(empty(204))
            }
            _ => Err(super::unknown_action(super::Service::S3, "")),
        }
    }

    fn put(&self, world: &mut World, bucket: &str, key: &str) -> Result<Reply, AwsError> {
        let found = world.object(bucket, key).is_ok();
        if found && header(&self.headers, "if-none-match") == Some("*") {
            return Err(AwsError::new(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ));
        }
        let kind = header(&self.headers, "content-type").unwrap_or("binary/octet-stream");
        let kept = |name: &str| {
            name.starts_with("x-amz-meta-") || name.starts_with("x-amz-server-side-encryption")
        };
        let headers: BTreeMap<_, _> = self
            .headers
            .iter()
            .filter(|(name, _)| kept(name.as_str()))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let etag = world.put_object_with(bucket, key, &self.body, kind, headers.clone())?;
        let mut reply = empty(200).with("etag", &format!("\"{etag}\""));
        reply.headers.extend(
            headers
                .into_iter()
                .filter(|(name, _)| !name.starts_with("x-amz-meta-")),
        );
        Ok(reply)
    }

    fn get(&self, world: &World, bucket: &str, key: &str) -> Result<Reply, AwsError> {
        let object = world.object(bucket, key)?;
        let body = object.body.bytes();
        let range = header(&self.headers, "range").and_then(|range| read_range(range, body.len()));
        let mut reply = match range {
            Some((first, last)) => {
                let part = Bytes::copy_from_slice(&body[first..=last]);
                let shown = format!("bytes {first}-{last}/{}", body.len());
                Reply::new(StatusCode::PARTIAL_CONTENT, &object.content_type, part)
                    .with("content-range", &shown)
            }
            None => Reply::new(
                StatusCode::OK,
                &object.content_type,
                Bytes::copy_from_slice(body),
            ),
        };
        let length = reply.body.len().to_string();
        reply = reply
            .with("content-length", &length)
            .with("etag", &format!("\"{}\"", object.etag))
            .with("accept-ranges", "bytes")
            .with("last-modified", &http_date(object.modified));
        reply.headers.extend(object.headers.clone());
        Ok(reply)
    }

    fn list(&self, world: &World, bucket: &str, v2: bool) -> Result<Reply, AwsError> {
        let ask = |name: &str| self.query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, delimiter) = (ask("prefix"), ask("delimiter"));
        let after = match (v2, ask("continuation-token")) {
            (true, "") => ask("start-after"),
            (true, token) => token,
            (false, _) => ask("marker"),
        };
        let most = ask("max-keys").parse().unwrap_or(1000_usize).min(1000);
        let objects = &world.bucket(bucket)?.objects;
        let page = Page::cut(objects, prefix, delimiter, after, most);
        Ok(document("ListBucketResult", |xml| {
            xml.leaf("Name", bucket);
            xml.leaf("Prefix", prefix);
            xml.leaf("MaxKeys", &most.to_string());
            xml.leaf(
                "IsTruncated",
                if page.next.is_some() { "true" } else { "false" },
            );
            if !delimiter.is_empty() {
                xml.leaf("Delimiter", delimiter);
            }
            if v2 {
                let count = page.objects.len() + page.prefixes.len();
                xml.leaf("KeyCount", &count.to_string());
            }
            if let Some(next) = &page.next {
                xml.leaf(
                    if v2 {
                        "NextContinuationToken"
                    } else {
                        "NextMarker"
                    },
                    next,
                );
            }
            for (key, object) in &page.objects {
                xml.open("Contents", "");
                xml.leaf("Key", key);
                xml.leaf("LastModified", &object.modified.to_string());
                xml.leaf("ETag", &format!("\"{}\"", object.etag));
                xml.leaf("Size", &object.body.bytes().len().to_string());
                xml.leaf("StorageClass", "STANDARD");
                xml.close("Contents");
            }
            for prefix in &page.prefixes {
                xml.open("CommonPrefixes", "");
                xml.leaf("Prefix", prefix);
                xml.close("CommonPrefixes");
            }
        }))
    }
}

impl Reply {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One page of a listing.
struct Page<'a> {
    objects: Vec<(&'a String, &'a Object)>,
    prefixes: Vec<String>,
    next: Option<String>,
}

impl<'a> Page<'a> {
    fn cut(
        all: &'a BTreeMap<String, Object>,
        prefix: &str,
        delimiter: &str,
        after: &str,
        most: usize,
    ) -> Self {
        let mut page = Self {
            objects: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let mut last = after.to_owned();
        for (key, object) in all.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let cut = (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter));
            let common = cut
                .flatten()
                .map(|at| &key[..prefix.len() + at + delimiter.len()]);
            let name = common.unwrap_or(key);
            let seen = page.prefixes.last().is_some_and(|seen| seen == name);
            if name <= after || key.as_str() <= after || seen {
                continue;
            }
            if page.objects.len() + page.prefixes.len() >= most {
                page.next = Some(last);
                break;
            }
            last = name.to_owned();
            match common {
                Some(common) => page.prefixes.push(common.to_owned()),
                None => page.objects.push((key, object)),
            }
        }
        page
    }
}

/// Answers a call by its names, as a scenario makes them; `None` for any other action.
pub(super) fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    let bucket = input.text("Bucket").unwrap_or_default();
    let key = input.text("Key").unwrap_or_default();
    let nothing = |()| json!({});
    Some(match action {
        "CreateBucket" => {
            world.create_bucket(&bucket);
            Ok(json!({}))
        }
        "DeleteBucket" => world.delete_bucket(&bucket).map(nothing),
        "PutObject" => {
            let body = input.text("Body").unwrap_or_default();
            world
                .put_object(&bucket, &key, body.as_bytes())
                .map(|etag| json!({ "ETag": etag }))
        }
        "DeleteObject" => match world.s3.buckets.get_mut(&bucket) {
            Some(bucket) => {
                bucket.objects.remove(&key);
                Ok(json!({}))
            }
            None => Err(no_such_bucket()),
        },
        "HeadObject" => world.object(&bucket, &key).map(|_| Value::Null),
        _ => return None,
    })
}

fn create_bucket(world: &mut World, name: &str) -> Result<Reply, AwsError> {
    let good = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    if !good {
        let message = "The specified bucket is not valid.";
        return Err(AwsError::new(400, "InvalidBucketName", message));
    }
    world.create_bucket(name);
    Ok(empty(200).with("location", &format!("/{name}")))
}

fn list_buckets(world: &World) -> Reply {
    document("ListAllMyBucketsResult", |xml| {
        xml.open("Owner", "");
        xml.leaf("ID", &world.account);
        xml.close("Owner");
        xml.open("Buckets", "");
        for (name, bucket) in &world.s3.buckets {
            xml.open("Bucket", "");
            xml.leaf("Name", name);
            xml.leaf("CreationDate", &bucket.created.to_string());
            xml.close("Bucket");
        }
        xml.close("Buckets");
    })
}

fn encryption() -> Reply {
    document("ServerSideEncryptionConfiguration", |xml| {
        xml.open("Rule", "");
        xml.open("ApplyServerSideEncryptionByDefault", "");
        xml.leaf("SSEAlgorithm", "aws:kms");
        xml.close("ApplyServerSideEncryptionByDefault");
        xml.close("Rule");
    })
}

fn empty(status: u16) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Reply {
        status,
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

fn document(name: &str, write: impl FnOnce(&mut Xml)) -> Reply {
    let mut xml = Xml::new("member");
    xml.open(name, NAMESPACE);
    write(&mut xml);
    xml.close(name);
    Reply::new(StatusCode::OK, "application/xml", xml.finish())
}

fn is_listing(name: &str) -> bool {
    matches!(
        name,
        "prefix" | "delimiter" | "marker" | "max-keys" | "encoding-type"
    )
}

/// Finds the bucket in a virtual host such as `bucket.s3.us-east-1.amazonaws.com`.
fn bucket_of_host(host: &str) -> Option<&str> {
    let at = host.find(".s3.").or_else(|| host.find(".s3-"));
    let bucket = match at {
        Some(at) => &host[..at],
        None => host.strip_suffix(".localhost")?,
    };
    (!bucket.is_empty() && bucket != "s3").then_some(bucket)
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) if first == b'%' => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let says = |name: &str, part: &str| {
        header(headers, name).is_some_and(|text| text.to_ascii_lowercase().contains(part))
    };
    says("content-encoding", "aws-chunked") || says("x-amz-content-sha256", "streaming-")
}

/// Takes the chunks of an `aws-chunked` body together; signatures and trailers are passed over.
fn unchunk(body: &Bytes) -> Option<Bytes> {
    let mut plain = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(head.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(plain.into());
        }
        let (chunk, after) = rest.split_at_checked(size)?;
        plain.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

/// Reads `bytes=first-last`; anything else, or one outside the object, means the whole.
fn read_range(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = length.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_with_signatures_and_trailers_come_together() {
        let body =
            "4;chunk-signature=ab\r\nabcd\r\n2\r\nef\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        assert_eq!(
            unchunk(&Bytes::from_static(body.as_bytes())).unwrap(),
            "abcdef"
        );
        assert_eq!(unchunk(&Bytes::from_static(b"ff\r\nshort\r\n")), None);
    }

    #[test]
    fn buckets_in_hosts() {
        assert_eq!(
            bucket_of_host("b.c.s3.us-east-1.amazonaws.com"),
            Some("b.c")
        );
        assert_eq!(bucket_of_host("b.s3-us-west-2.amazonaws.com"), Some("b"));
        assert_eq!(bucket_of_host("s3.us-east-1.amazonaws.com"), None);
        assert_eq!(bucket_of_host("b.localhost"), Some("b"));
        assert_eq!(bucket_of_host("127.0.0.1"), None);
    }

    #[test]
    fn ranges_stay_within_the_object() {
        assert_eq!(read_range("bytes=0-99", 10), Some((0, 9)));
        assert_eq!(read_range("bytes=-3", 10), Some((7, 9)));
        assert_eq!(read_range("bytes=10-", 10), None);
        assert_eq!(read_range("bytes=0-", 0), None);
    }

    #[test]
    fn percent_signs_and_plus_signs() {
        assert_eq!(percent_decode("/a%2Fb+c%C3%A9%"), "/a/b+cé%");
    }
}
