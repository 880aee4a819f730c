//! S3, as far as key stores use it: buckets and small objects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::api::AwsError;
use super::hidden::Hidden;
use super::world::World;

/// S3's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct S3 {
    /// By name.
    pub(super) buckets: BTreeMap<String, Bucket>,
}

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) created: Timestamp,
    pub(super) objects: BTreeMap<String, Object>,
    /// `Enabled`, `Suspended`, or never set.
    pub(super) versioning: Option<String>,
}

/// An object. Versions are not kept: a second write replaces the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) body: Hidden,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) content_type: String,
    /// The headers that come back with the object: `x-amz-meta-*` and encryption.
    pub(super) headers: BTreeMap<String, String>,
}

impl World {
    /// Makes an empty bucket; one that is there stays as it is.
    pub fn create_bucket(&mut self, name: &str) {
        let created = self.now;
        self.s3
            .buckets
            .entry(name.to_owned())
            .or_insert_with(|| Bucket {
                created,
                objects: BTreeMap::new(),
                versioning: None,
            });
    }

    /// Returns the names of all buckets.
    pub fn bucket_names(&self) -> impl Iterator<Item = &str> {
        self.s3.buckets.keys().map(String::as_str)
    }

    /// Returns the keys of all objects in a bucket.
    pub fn object_keys(&self, bucket: &str) -> impl Iterator<Item = &str> {
        let bucket = self.s3.buckets.get(bucket).into_iter();
        bucket.flat_map(|bucket| bucket.objects.keys().map(String::as_str))
    }

    /// Deletes a bucket.
    ///
    /// # Errors
    /// `BucketNotEmpty` while it holds objects, `NoSuchBucket` when there is none.
    pub fn delete_bucket(&mut self, name: &str) -> Result<(), AwsError> {
        if !self.bucket(name)?.objects.is_empty() {
            return Err(AwsError::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        self.s3.buckets.remove(name);
        Ok(())
    }

    /// Writes an object, in place of one of the same key, and returns its entity tag.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn put_object(&mut self, bucket: &str, key: &str, body: &[u8]) -> Result<String, AwsError> {
        self.put_object_with(bucket, key, body, "binary/octet-stream", BTreeMap::new())
    }

    pub(super) fn put_object_with(
        &mut self,
        bucket: &str,
        key: &str,
        body: &[u8],
        content_type: &str,
        headers: BTreeMap<String, String>,
    ) -> Result<String, AwsError> {
        let modified = self.now;
        let bucket = self.s3.buckets.get_mut(bucket).ok_or_else(no_such_bucket)?;
        let etag = etag(body);
        let object = Object {
            body: Hidden::new(body),
            etag: etag.clone(),
            modified,
            content_type: content_type.to_owned(),
            headers,
        };
        bucket.objects.insert(key.to_owned(), object);
        Ok(etag)
    }

    /// Reads an object's bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn get_object(&self, bucket: &str, key: &str) -> Result<&[u8], AwsError> {
        Ok(self.object(bucket, key)?.body.bytes())
    }

    pub(super) fn bucket(&self, name: &str) -> Result<&Bucket, AwsError> {
        self.s3.buckets.get(name).ok_or_else(no_such_bucket)
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<&Object, AwsError> {
        self.bucket(bucket)?
            .objects
            .get(key)
            .ok_or_else(|| AwsError::new(404, "NoSuchKey", "The specified key does not exist."))
    }
}

pub(super) fn no_such_bucket() -> AwsError {
    AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

/// Makes an entity tag: opaque, like those of objects that S3 encrypts with KMS.
fn etag(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_where_they_were_put() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
        assert_eq!(
            world.put_object("b", "k", b"x").unwrap_err().code,
            "NoSuchBucket"
        );
        world.create_bucket("b");
        assert_eq!(world.get_object("b", "k").unwrap_err().code, "NoSuchKey");
        world.put_object("b", "k", b"x").unwrap();
        assert_eq!(world.get_object("b", "k").unwrap(), b"x");
        assert_eq!(world.delete_bucket("b").unwrap_err().code, "BucketNotEmpty");
    }
}
